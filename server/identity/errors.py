"""What the identity room refuses."""

from server.core.errors import Conflict, Invalid, Missing, Refused, TooMany, Unavailable, Unknown


class WrongCredentials(Unknown):
    """Unknown name, wrong password or inactive account: always the same words."""

    text = "Invalid credentials"


class BadToken(Unknown):
    """The token was never given out, was revoked, or its owner is gone or inactive."""

    text = "Invalid token"


class SessionEnded(Unknown):
    """The session lived as long as a session may, or its token expired."""

    text = "Session expired"


class AccessExpired(SessionEnded):
    """The access token's time is over; the session may go on with the refresh token."""


class AgentUnnamed(Unknown):
    """An agent that did not say who it is, in the words of the door it came to."""

    text = "{text}"


class SessionIdle(Unknown):
    """Nobody did anything for too long."""

    text = "Session expired due to inactivity"


class LockedOut(TooMany):
    """Too many wrong passwords for this name; waiting helps, the right password does not."""

    code = "locked_out"
    text = "Too many failed login attempts. Try again later."

    def __init__(self, seconds: int) -> None:
        super().__init__(after_seconds=seconds, remaining_seconds=seconds)


class Crowded(TooMany):
    """More people sign in than this server can check passwords for."""

    code = "crowded"
    text = "Many people are signing in right now. Try again in a moment."

    def __init__(self, seconds: int) -> None:
        super().__init__(after_seconds=seconds)


class TicketSpent(Unknown):
    """The first step is too long ago, or its ticket was used."""

    text = "Invalid or expired session"


class WrongCode(Unknown):
    """Neither the code of this half minute nor an unused backup code.

    Attributes:
        remaining: attempts that are left.
        ticket: for the next attempt of the page that asked; never part of an answer to a program.
    """

    text = "Invalid verification code"

    def __init__(self, remaining: int, ticket: str) -> None:
        super().__init__()
        self.remaining = remaining
        self.ticket = ticket


class CodesLocked(TooMany):
    """Too many wrong codes; waiting helps, the right code does not."""

    code = "codes_locked"
    text = "Too many failed TFA attempts. Please try again later."

    def __init__(self, seconds: int) -> None:
        super().__init__(after_seconds=seconds, error=self.text)


class CodeNotProved(Invalid):
    """The code does not belong to the secret that is being set up."""

    code = "wrong_code"
    text = "Invalid verification code"


class ManagedElsewhere(Invalid):
    """The person has no password here: who signs them in also asks for the second factor."""

    code = "tfa_managed_elsewhere"
    text = "MFA is managed by your OIDC provider"


class NoPassword(Invalid):
    """Without a password nothing proves who asks."""

    code = "no_password"
    text = "Cannot disable TFA for accounts without a password"


class TwoFactorOn(Conflict):
    """There is a second step already; a new secret would lock the person out."""

    code = "tfa_enabled"
    text = "Two-factor authentication is already on"


class TwoFactorOff(Conflict):
    """There is no second step, or no secret waits to be proved."""

    code = "tfa_not_enabled"
    text = "Two-factor authentication is not set up"


class SecondFactorDue(Refused):
    """The days in which a second factor had to be set up are over."""

    code = "second_factor_due"
    text = "Set up two-factor authentication first: your administrator demands it. Open Settings, Two-factor."


class BadPasskey(Invalid):
    """What the browser answered does not prove a passkey, or the challenge was used or is too old."""

    code = "bad_passkey"
    text = "The passkey could not be checked. Try again."


class WrongPasskey(Unknown):
    """Whatever the reason: unknown key, forged or repeated answer, or an account that may not sign in."""

    text = "This passkey does not sign you in"


class PasskeysElsewhere(Invalid):
    """Passkeys belong to the name of the server; pages under another name cannot use them."""

    code = "passkeys_elsewhere"
    text = "Passkeys work only at {url}"


class PasskeysAway(Unavailable):
    """Challenges are kept in Redis, and that cannot be reached."""

    code = "passkeys_away"
    text = "Passkeys cannot be used just now. Your password still works."


class PasskeyKnown(Conflict):
    """The key is registered already."""

    code = "passkey_known"
    text = "This passkey is registered already"


class PasskeyMissing(Missing):
    """There is no such passkey, or it belongs to somebody else."""

    text = "Passkey not found"


class PasskeyNeeded(Conflict):
    """What nobody has cannot be asked for."""

    code = "passkey_needed"
    text = "Add a passkey first"


class TooManyPasskeys(Conflict):
    """A person needs a few, not a list."""

    code = "too_many_passkeys"
    text = "You have as many passkeys as one can have. Remove one first."


class LastWayIn(Conflict):
    """Without it the person could not sign in any more."""

    code = "last_way_in"
    text = "This is your only way to sign in. Add another one first."


class DeviceMissing(Missing):
    """There is no such trusted device, or it belongs to somebody else."""

    text = "Trusted device not found"


class RoleUnknown(Refused):
    """The person's role does not exist any more."""

    code = "role_unknown"
    text = "Access denied"


class PersonsOnly(Refused):
    """Something that only a person with a session may do, not a token."""

    code = "persons_only"
    text = "An API token cannot do this. Sign in and do it yourself."


class ModuleOff(Refused):
    """The capability module of this route is switched off."""

    code = "module_not_available"
    text = "module not available in your plan"


class AdminExists(Invalid):
    """Somebody was faster, or the set-up is long over."""

    code = "admin_exists"
    text = "Admin users already exist. This endpoint is only for first-time setup."


class BadSetupLink(Refused):
    """The set-up was asked for without the one-time link."""

    code = "bad_setup_link"
    text = "This set-up link is not valid. Open the link that the server printed when it started, or make a new one."


class StepMissing(Invalid):
    """An earlier step of the set-up was left out."""

    code = "setup_step_missing"
    text = "Begin with the account of the first administrator"


class WeakPassword(Invalid):
    """The password breaks a rule; ``complaints`` says which."""

    code = "weak_password"
    text = "Password does not meet the password policy"


class WrongPassword(Invalid):
    """The person who asks did not prove to be the one who signed in."""

    code = "wrong_password"
    text = "The current password is not right"


class BadPerson(Invalid):
    """What was said about a person is not usable; ``complaints`` has one sentence per field."""

    code = "bad_person"
    text = "Some fields need another value"


class NameTaken(Conflict):
    """Another account has this name or address."""

    code = "name_taken"
    text = "This username or email address is already in use"


class PersonMissing(Missing):
    """There is no such account."""

    text = "User not found"


class SessionMissing(Missing):
    """There is no such session, or it belongs to somebody else."""

    text = "Session not found"


class TokenMissing(Missing):
    """There is no such token, or it belongs to somebody else."""

    text = "Token not found"


class RankTooLow(Refused):
    """The account stands higher than the one who wants to change it."""

    code = "rank_too_low"
    text = "You cannot change a user with a higher role than yours"


class RoleNotYours(Refused):
    """The role is higher than the asker's own, or holds what the asker may not pass on."""

    code = "role_not_yours"
    text = "You do not have permission to assign the role: {role}"


class OwnRole(Invalid):
    """Nobody changes what they themselves may do."""

    code = "own_role"
    text = "Cannot change your own role"


class NotYourself(Invalid):
    """Nobody removes or deactivates their own account."""

    code = "own_account"
    text = "Cannot delete or deactivate your own account"


class LastSuperadmin(Invalid):
    """Without this account nobody could manage the administrators any more."""

    code = "last_superadmin"
    text = "Cannot delete the last superadmin user"


class LastAdmin(Invalid):
    """Without this account nobody could administer the server any more."""

    code = "last_admin"
    text = "Cannot delete the last admin user"


class PersonInactive(Invalid):
    """Reactivate the account first; a password alone would not let its owner in."""

    code = "person_inactive"
    text = "Cannot reset the password of an inactive user"


class RoleLocked(Refused):
    """Superadmin, admin and user are part of the product, and no built-in role can be deleted."""

    code = "role_locked"
    text = "Cannot modify built-in role permissions"


class RoleInUse(Conflict):
    """Give its holders another role first."""

    code = "role_in_use"
    text = "Cannot delete role: users are assigned to it"


class RoleMissing(Missing):
    """There is no such role."""

    text = "Role not found"


class RoleExists(Conflict):
    """A new role needs a name of its own."""

    code = "role_exists"
    text = "There is a role with this name already"


class NotYoursToGrant(Refused):
    """Nobody puts into a role what they may not pass on."""

    code = "not_yours_to_grant"
    text = "You do not have permission to grant: {permissions}"


class SignupOff(Refused):
    """People cannot register themselves here."""

    code = "signup_off"
    text = "Self-registration is switched off"


class OwnLimits(Refused):
    """Nobody decides how much of the fleet they see themselves."""

    code = "own_limits"
    text = "You cannot change your own limits"


class BeyondYourGroups(Refused):
    """Who is limited to host groups manages only people who reach no further."""

    code = "beyond_your_groups"
    text = "You are limited to some host groups, and this would reach beyond them"


class AccountOff(Refused):
    """In whose name it would be done may do nothing any more."""

    code = "account_off"
    text = "The account {username} is switched off"

#!/bin/sh
# Enrols the machine it runs on in PatchMon and installs the agent. Run it as root; a machine whose agent works is left
# alone. Every setting can come from the environment, else from the value written here.

PATCHMON_URL=${PATCHMON_URL:-}
AUTO_ENROLLMENT_KEY=${AUTO_ENROLLMENT_KEY:-}
AUTO_ENROLLMENT_SECRET=${AUTO_ENROLLMENT_SECRET:-}
CURL_FLAGS=${CURL_FLAGS:--s}
FRIENDLY_NAME=${FRIENDLY_NAME:-}
HOST_PREFIX=${HOST_PREFIX:-}
DRY_RUN=${DRY_RUN:-false}
FORCE_INSTALL=${FORCE_INSTALL:-false}
DEBUG=${DEBUG:-false}

set -u
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
work=

info() { printf '[INFO] %s\n' "$1"; }
success() { printf '[SUCCESS] %s\n' "$1"; }
debug() { [ "$DEBUG" != true ] || printf '[DEBUG] %s\n' "$1" >&2; }
die() {
    printf '[ERROR] %s\n' "$1" >&2
    exit 1
}
clean_up() { if [ -n "$work" ]; then rm -rf "$work"; fi; }

demand() {
    [ "$(id -u)" -eq 0 ] || die "This script must be run as root"
    command -v curl >/dev/null 2>&1 || die "Required command 'curl' not found. Please install it first."
    if [ -z "$PATCHMON_URL" ] || [ -z "$AUTO_ENROLLMENT_KEY" ] || [ -z "$AUTO_ENROLLMENT_SECRET" ]; then
        die "PATCHMON_URL, AUTO_ENROLLMENT_KEY and AUTO_ENROLLMENT_SECRET must be set"
    fi
    PATCHMON_URL=${PATCHMON_URL%/}
    verbose=''
    if [ "$DEBUG" = true ]; then verbose=-v; fi
}

# A text as it stands in JSON.
quoted() { printf '%s' "$1" | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g'; }

# The value of a text field in a compact JSON object.
json_text() { printf '%s' "$1" | sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p"; }

gather() {
    name=${FRIENDLY_NAME:-$HOST_PREFIX$(hostname)}
    machine=$(cat /etc/machine-id 2>/dev/null || cat /var/lib/dbus/machine-id 2>/dev/null || cat /etc/hostid 2>/dev/null)
    address=$(hostname -I 2>/dev/null | awk '{ print $1 }')
    # shellcheck disable=SC1091 # a file of this machine
    system=$(. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-}")
    case $(uname -m) in
        x86_64 | amd64) architecture=amd64 ;;
        aarch64 | arm64) architecture=arm64 ;;
        i?86 | x86) architecture=386 ;;
        arm*) architecture=arm ;;
        *) architecture=amd64 ;;
    esac
    case $(uname -s) in
        FreeBSD) platform=freebsd ;;
        *) platform=linux ;;
    esac
}

has_agent() {
    [ -f /etc/patchmon/config.yml ] && [ -f /etc/patchmon/credentials.yml ] && patchmon-agent ping >/dev/null 2>&1
}

enrol() {
    with_machine=''
    if [ -n "$machine" ]; then with_machine=$(printf '"machine_id":"%s",' "$(quoted "$machine")"); fi
    body=$(printf '{"friendly_name":"%s",%s"metadata":{"hostname":"%s","ip_address":"%s","os_info":"%s","architecture":"%s"}}' \
        "$(quoted "$name")" "$with_machine" "$(quoted "$(hostname)")" "$(quoted "$address")" "$(quoted "$system")" \
        "$architecture")
    debug "POST $PATCHMON_URL/api/v1/auto-enrollment/enroll $body"
    # The credentials go through a pipe: the list of processes shows every argument to everybody on this machine.
    # shellcheck disable=SC2086 # CURL_FLAGS are several words
    reply=$(printf 'header = "X-Auto-Enrollment-Key: %s"\nheader = "X-Auto-Enrollment-Secret: %s"\n' \
        "$AUTO_ENROLLMENT_KEY" "$AUTO_ENROLLMENT_SECRET" |
        curl $CURL_FLAGS $verbose --stderr "$work/noise" -K - -X POST -H 'Content-Type: application/json' -d "$body" \
            -w '\n%{http_code}' "$PATCHMON_URL/api/v1/auto-enrollment/enroll")
    sed 's/\(X-Auto-Enrollment-Secret: \).*/\1***/' "$work/noise" >&2
    code=$(printf '%s\n' "$reply" | tail -n 1)
    answer=$(printf '%s\n' "$reply" | sed '$d')
    if [ "$code" = 429 ]; then die "Rate limit exceeded - maximum hosts per day reached"; fi
    if [ "$code" != 201 ]; then
        printf 'Response: %s\n' "$answer" >&2
        die "Failed to enroll $name - HTTP ${code:-000}"
    fi
    api_id=$(json_text "$answer" api_id)
    api_key=$(json_text "$answer" api_key)
    if [ -z "$api_id" ] || [ -z "$api_key" ]; then die "The server sent no credentials"; fi
    success "Host enrolled successfully: $name ($api_id)"
}

install_agent() {
    install_url="$PATCHMON_URL/api/v1/hosts/install?arch=$architecture&os=$platform"
    if [ "$FORCE_INSTALL" = true ]; then install_url="$install_url&force=true"; fi
    # shellcheck disable=SC2086 # CURL_FLAGS are several words
    printf 'header = "X-API-ID: %s"\nheader = "X-API-KEY: %s"\n' "$api_id" "$api_key" |
        curl $CURL_FLAGS -f -K - -o "$work/install.sh" "$install_url" ||
        die "The installer could not be fetched from $PATCHMON_URL"
    sh "$work/install.sh" </dev/null || die "The agent could not be installed; the host stays pending on the server"
}

main() {
    demand
    gather
    if has_agent; then
        info "✓ Host already enrolled and agent ping successful - skipping enrollment"
        exit 0
    fi
    if [ "$DRY_RUN" = true ]; then
        info "[DRY RUN] Would enroll: $name"
        exit 0
    fi
    trap clean_up EXIT
    work=$(mktemp -d) || die "No place for temporary files"
    enrol
    install_agent
    success "This machine is enrolled as $name"
}

main

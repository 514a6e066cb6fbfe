#!/bin/sh
# Enrols the LXC containers of this Proxmox host in PatchMon and installs the agent in each of them.
# Run it as root, once or from cron: containers with a working agent are left alone, none is ever restarted.
# It changes what you like: every setting can come from the environment, else from the value written here.

PATCHMON_URL=${PATCHMON_URL:-}
AUTO_ENROLLMENT_KEY=${AUTO_ENROLLMENT_KEY:-}
AUTO_ENROLLMENT_SECRET=${AUTO_ENROLLMENT_SECRET:-}
CURL_FLAGS=${CURL_FLAGS:--s}
DRY_RUN=${DRY_RUN:-false}
HOST_PREFIX=${HOST_PREFIX:-}
SKIP_STOPPED=${SKIP_STOPPED:-true}
FORCE_INSTALL=${FORCE_INSTALL:-false}
DEBUG=${DEBUG:-false}

set -u
# cron brings only the shortest of paths.
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

enrolled=0
skipped=0
failed=0
not_installed=0

if [ -t 1 ]; then
    green='\033[0;32m' yellow='\033[1;33m' red='\033[0;31m' plain='\033[0m'
else
    green='' yellow='' red='' plain=''
fi

info() { printf '[INFO] %s\n' "$1"; }
success() { printf '%b[SUCCESS]%b %s\n' "$green" "$plain" "$1"; }
warn() { printf '%b[WARN]%b %s\n' "$yellow" "$plain" "$1"; }
error() { printf '%b[ERROR]%b %s\n' "$red" "$plain" "$1" >&2; }
debug() { [ "$DEBUG" != true ] || printf '[DEBUG] %s\n' "$1" >&2; }
die() {
    error "$1"
    exit 1
}

demand() {
    [ "$(id -u)" -eq 0 ] || die "This script must be run as root"
    command -v pct >/dev/null 2>&1 || die "This script must run on a Proxmox host (pct command not found)"
    for tool in curl jq; do
        command -v "$tool" >/dev/null 2>&1 || die "Required command '$tool' not found. Please install it first."
    done
    if [ -z "$PATCHMON_URL" ] || [ -z "$AUTO_ENROLLMENT_KEY" ] || [ -z "$AUTO_ENROLLMENT_SECRET" ]; then
        die "PATCHMON_URL, AUTO_ENROLLMENT_KEY and AUTO_ENROLLMENT_SECRET must be set"
    fi
    PATCHMON_URL=${PATCHMON_URL%/}
    verbose=''
    if [ "$DEBUG" = true ]; then verbose=-v; fi
}

# Runs a command inside a container; its input must not be the rest of the list of containers.
inside() {
    id=$1
    shift
    pct exec "$id" -- "$@" </dev/null
}

machine_id_of() {
    # shellcheck disable=SC2016 # for the shell inside
    found=$(inside "$1" sh -c 'cat /etc/machine-id 2>/dev/null || cat /var/lib/dbus/machine-id 2>/dev/null' 2>/dev/null)
    if [ -z "$found" ]; then
        found="proxmox-lxc-$1-$(cat /proc/sys/kernel/random/uuid 2>/dev/null || echo unknown)"
    fi
    printf '%s' "$found"
}

has_agent() {
    # shellcheck disable=SC2016 # for the shell inside
    inside "$1" sh -c 'test -f /etc/patchmon/config.yml && test -f /etc/patchmon/credentials.yml &&
        PATH=$PATH:/usr/local/bin patchmon-agent ping' >/dev/null 2>&1
}

# Sets api_id and api_key; returns 1 after saying what was wrong, 2 when the server knows the host already.
enrol() {
    vmid=$1 name=$2
    hostname=$(inside "$vmid" hostname 2>/dev/null)
    address=$(inside "$vmid" hostname -I 2>/dev/null | awk '{ print $1 }')
    # shellcheck disable=SC2016 # for the shell inside
    system=$(inside "$vmid" sh -c '. /etc/os-release && printf "%s" "$PRETTY_NAME"' 2>/dev/null)
    body=$(jq -cn --arg name "$HOST_PREFIX$name" --arg machine "$(machine_id_of "$vmid")" --arg vmid "$vmid" \
        --arg node "$(hostname)" --arg hostname "${hostname:-$name}" --arg ip "${address:-}" --arg os "${system:-}" \
        '{friendly_name: $name, machine_id: $machine,
          metadata: {vmid: $vmid, proxmox_node: $node, hostname: $hostname, ip_address: $ip, os_info: $os}}')
    debug "POST $PATCHMON_URL/api/v1/auto-enrollment/enroll $body"
    # The credentials go through a pipe: the list of processes shows every argument to everybody on this machine.
    # shellcheck disable=SC2086 # CURL_FLAGS are several words
    reply=$(printf 'header = "X-Auto-Enrollment-Key: %s"\nheader = "X-Auto-Enrollment-Secret: %s"\n' \
        "$AUTO_ENROLLMENT_KEY" "$AUTO_ENROLLMENT_SECRET" |
        curl $CURL_FLAGS $verbose --stderr "$noise" -K - -X POST -H 'Content-Type: application/json' -d "$body" \
            -w '\n%{http_code}' "$PATCHMON_URL/api/v1/auto-enrollment/enroll")
    sed 's/\(X-Auto-Enrollment-Secret: \).*/\1***/' "$noise" >&2
    code=$(printf '%s\n' "$reply" | tail -n 1)
    answer=$(printf '%s\n' "$reply" | sed '$d')
    debug "HTTP $code $(printf '%s' "$answer" | sed 's/"api_key":"[^"]*"/"api_key":"***"/')"
    case $code in
        201)
            api_id=$(printf '%s' "$answer" | jq -r '.host.api_id')
            api_key=$(printf '%s' "$answer" | jq -r '.host.api_key')
            return 0
            ;;
        409) return 2 ;;
        429) error "Rate limit exceeded - maximum hosts per day reached" ;;
        *)
            error "Failed to enroll $name - HTTP ${code:-000}"
            printf 'Response: %s\n' "$answer" >&2
            ;;
    esac
    return 1
}

# What runs inside the container; read from a pipe, so that its key is no argument of any process.
installer() {
    install_url="$PATCHMON_URL/api/v1/hosts/install"
    if [ "$FORCE_INSTALL" = true ]; then install_url="$install_url?force=true"; fi
    printf "API_ID='%s' API_KEY='%s' INSTALL_URL='%s' CURL_FLAGS='%s' FORCE_INSTALL='%s'\n" \
        "$api_id" "$api_key" "$install_url" "$CURL_FLAGS" "$FORCE_INSTALL"
    cat <<'END'
have() { command -v "$1" >/dev/null 2>&1; }
fetch_tool() {
    have "$1" && return 0
    if have apt-get; then
        export DEBIAN_FRONTEND=noninteractive
        if [ "$FORCE_INSTALL" = true ]; then
            # Broken packages elsewhere must not stop this one.
            apt-get install --fix-broken --yes -q "$1"
        else
            apt-get update -q && apt-get install -y -q "$1"
        fi
    elif have dnf; then dnf install -y -q "$1"
    elif have yum; then yum install -y -q "$1"
    elif have apk; then apk add "$1"
    else echo "no known package manager found to install $1"
    fi
}
if [ "$FORCE_INSTALL" = true ]; then tools="jq curl bc python3"; else tools="curl python3"; fi
for tool in $tools; do fetch_tool "$tool" </dev/null; done
for tool in curl python3; do
    have "$tool" || { echo "$tool is missing and could not be installed"; exit 1; }
done
file=$(mktemp) || exit 1
printf 'header = "X-API-ID: %s"\nheader = "X-API-KEY: %s"\n' "$API_ID" "$API_KEY" |
    curl $CURL_FLAGS -f -K - -o "$file" "$INSTALL_URL" || { echo "the installer could not be fetched"; rm -f "$file"; exit 1; }
sh "$file" </dev/null
code=$?
rm -f "$file"
exit "$code"
END
}

install_agent() {
    vmid=$1 name=$2
    output=$(installer | pct exec "$vmid" -- sh 2>&1)
    code=$?
    debug "$output"
    case $output in
        *"PatchMon Agent installation completed successfully"*) code=0 ;;
        *) [ "$code" -ne 0 ] || code=1 ;;
    esac
    if [ "$code" -eq 0 ]; then
        success "Agent installed successfully in $name"
        return 0
    fi
    not_installed=$((not_installed + 1))
    warn "Failed to install agent in $name (exit: $code)"
    printf 'Install output: %s\n' "$output"
}

process() {
    vmid=$1 status=$2 name=$3
    info "Processing LXC $vmid: $name (status: $status)"
    if [ "$status" != running ] && [ "$SKIP_STOPPED" = true ]; then
        skipped=$((skipped + 1))
        info "  Skipping $name - not running"
        return
    fi
    if [ "$status" = running ] && has_agent "$vmid"; then
        skipped=$((skipped + 1))
        info "✓ Host already enrolled and agent ping successful - skipping enrollment"
        return
    fi
    if [ "$DRY_RUN" = true ]; then
        enrolled=$((enrolled + 1))
        info "  [DRY RUN] Would enroll: $HOST_PREFIX$name"
        return
    fi
    enrol "$vmid" "$name"
    case $? in
        0) ;;
        2)
            skipped=$((skipped + 1))
            info "  $name is already enrolled - skipping"
            return
            ;;
        *)
            failed=$((failed + 1))
            return
            ;;
    esac
    enrolled=$((enrolled + 1))
    success "Host enrolled successfully: $HOST_PREFIX$name ($api_id)"
    install_agent "$vmid" "$name"
}

summary() {
    note=''
    if [ "$DRY_RUN" = true ]; then note=' (dry run)'; fi
    info "Summary"
    info "Successfully Enrolled:  $enrolled$note"
    info "Skipped:                $skipped"
    info "Failed:                 $failed"
    if [ "$not_installed" -gt 0 ]; then warn "Without an agent yet:   $not_installed"; fi
}

main() {
    demand
    noise=$(mktemp) || die "No place for temporary files"
    trap 'rm -f "$noise"' EXIT
    listed=$(pct list) || die "The containers could not be listed (pct list failed)"
    containers=$(printf '%s\n' "$listed" | tail -n +2 | grep '[0-9]')
    info "Found $(printf '%s' "$containers" | grep -c '[0-9]') LXC container(s)"
    if [ "$DRY_RUN" = true ]; then info "Dry run: nothing is changed"; fi
    while IFS= read -r line; do
        vmid=$(printf '%s\n' "$line" | awk '{ print $1 }')
        status=$(printf '%s\n' "$line" | awk '{ print $2 }')
        name=$(printf '%s\n' "$line" | awk '{ print $NF }')
        if [ -n "$vmid" ]; then process "$vmid" "$status" "$name"; fi
    done <<END
$containers
END
    summary
    [ "$failed" -eq 0 ]
}

main

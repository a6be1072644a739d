#!/usr/bin/env bash
# Checks hakmem's variables: `scripts/validate_config.sh [--strict] [--quiet] [--json] [FILE|pid:N]`.
# It is `hakmem config check` under the name that it had in earlier versions, with the same
# switches and statuses (0 fine or warnings, 1 errors, 2 usage; `--help` says more). The command is
# the one that HAKMEM_RUN_COMMAND names, one beside this script, one that was built here, the one on
# the path, or is built.

set -u -o pipefail
root=$(cd "$(dirname "$0")/.." && pwd) || exit 2
target=${CARGO_TARGET_DIR:-$root/target}

for command in "${HAKMEM_RUN_COMMAND:-}" "$root/scripts/hakmem" "$root/bin/hakmem" \
    "$target/release/hakmem" "$target/debug/hakmem" "$(command -v hakmem)"; do
    [ -n "$command" ] && [ -x "$command" ] && exec "$command" config check "$@"
done
echo "validate_config.sh: building the hakmem command" >&2
cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p hakmem-debug-tools || exit 2
exec "$target/release/hakmem" config check "$@"

#!/bin/sh
# A new version on one machine, step by step: docs/upgrading.md says why in this order. `up` alone would
# stop everything first, and web with it until the last step. Broken off, it may be begun again.
set -eu
cd "$(dirname "$0")"

compose() {
    docker compose --file compose.yml --env-file shop.env "$@"
}

roll() {
    compose up --detach --no-deps --wait --wait-timeout 900 "$@"
}

compose build
compose run --rm migrate
roll channels services
compose run --rm --no-deps provision
roll relay
roll web console

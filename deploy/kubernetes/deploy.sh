#!/bin/sh
# A new version, step by step, into the namespace of kubectl's context: docs/upgrading.md says why in
# this order. The images are those that the kustomizations name. Broken off, it may be begun again.
# AUTOSCALING=1: KEDA decides how many workers there are.
set -eu
cd "$(dirname "$0")"

once() {
    kubectl delete job "$2" --ignore-not-found
    kubectl apply --kustomize "$1"
    # Over, one way or the other: one that has failed never completes.
    kubectl wait --for=jsonpath='{.status.conditions[0].status}'=True --timeout=4h "job/$2"
    kubectl wait --for=condition=complete --timeout=1m "job/$2"
}

roll() {
    kubectl apply --kustomize "$1"
    shift
    for name; do kubectl rollout status --timeout=15m "deployment/$name"; done
}

once 1-migrate shop-migrate
if [ -n "${AUTOSCALING:-}" ]; then
    roll autoscaling shop-channels shop-services
else
    roll 2-workers shop-channels shop-services
fi
once 3-provision shop-provision
roll 4-relay shop-relay
roll 5-web shop-web shop-console

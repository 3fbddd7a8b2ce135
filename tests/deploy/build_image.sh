#!/usr/bin/env bash
# Builds the image on a root file system of Debian and runs it as its user, without a container engine: `make image-check`.
# It needs root, buildah and debootstrap; the folder of the root file system is kept for the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
work=$PWD/.cache/image
base=localhost/adapter-host-python:debian
image=localhost/adapter-host:check
mkdir -p "$work"

if [[ ! -e $work/root.made ]]; then
    debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$work/root"
    ln -sf python3 "$work/root/usr/bin/python"
    touch "$work/root.made"
fi
container=$(buildah from scratch)
trap 'buildah rm "$container" > /dev/null' EXIT
buildah add --quiet "$container" "$work/root" / > /dev/null
buildah commit --quiet "$container" "$base" > /dev/null

# As pip outside, the build trusts the machine's certificates and its settings.
volumes=()
for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [[ -e $file ]] && volumes+=(--volume "$file:$file:ro")
done
buildah build --quiet --format docker "${volumes[@]}" --build-arg "PYTHON_IMAGE=$base" \
    --file docs/deploy/Containerfile --tag "$image" .

buildah rm "$container" > /dev/null
container=$(buildah from "$image")
run() { buildah run --user 65532:65532 --volume "$PWD/capabilities/greeting.yaml:/capabilities/greeting.yaml:ro" "$container" -- "$@"; }
for path in /etc/adapter-host /opt/adapter-host /usr/bin; do
    if run touch "$path/written" 2> /dev/null; then
        echo "the user of the image can write $path" >&2
        exit 1
    fi
done
run sh -c '
    adapter-host serve --ready-file /tmp/ready.json --port control=19095 --port greeting-rest=0 --port greeting-mcp=0 \
        /etc/adapter-host/control.yaml /capabilities &
    tries=0
    until python /etc/adapter-host/healthcheck.py http://127.0.0.1:19095/health/ready 2> /dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || exit 1
        sleep 0.3
    done
    kill $!
    wait $!
'
echo "the image is built, serves and stops"

"""What stands in for `adb`: the devices are the folders in $STANDIN_DEVICES, one a serial number.

Says what adb 29.0.6 was seen to say, on the stream on which it says it, and exits as it does;
`test_real_adb` has that one itself.
"""

import json
import os
import sys
from pathlib import Path

from folder_device import FolderDevice

DEVICES = Path(os.environ["STANDIN_DEVICES"])
UNAUTHORIZED = """\
device unauthorized.
This adb server's $ADB_VENDOR_KEYS is not set
Try 'adb kill-server' if that seems wrong.
Otherwise check for a confirmation dialog on your device."""
UDEV = (
    "no permissions (missing udev rules? user is in the plugdev group); "
    "see [http://developer.android.com/tools/device.html]"
)


def main(arguments: list[str]) -> int:
    with (DEVICES / "log").open("a") as log:
        log.write(json.dumps(arguments) + "\n")
    if arguments == ["devices", "-l"]:
        return list_devices()
    option, serial, verb, *rest = arguments
    assert option == "-s", arguments
    device = FolderDevice(DEVICES / serial)
    state = device.about.get("state") if device.about.get("connected") else None
    errors = {None: f"device '{serial}' not found", "unauthorized": UNAUTHORIZED}
    if state != "device":
        before = "adb: error: failed to get feature set: " if verb == "push" else "error: "
        return say(before + errors.get(state, f"device {state}"))
    return {"shell": shell, "push": push, "install": install}[verb](device, *rest)


def list_devices() -> int:
    print("List of devices attached")
    for number, root in enumerate(sorted(path for path in DEVICES.iterdir() if path.is_dir()), 1):
        about = FolderDevice(root).about
        if about["connected"]:
            state = UDEV if about["state"] == "no permissions" else about["state"]
            model = about["model"].replace(" ", "_")
            known = f" product:x model:{model} device:x" if state == "device" else ""
            print(f"{root.name:<22} {state} usb:1-{number}{known} transport_id:{number}")
    print()
    return 0


def shell(device: FolderDevice, script: str) -> int:
    code, said, complained = device.shell(script)
    print(said, end="")
    print(complained, end="", file=sys.stderr)
    return code


def push(device: FolderDevice, source: str, path: str) -> int:
    content = Path(source).read_bytes()
    if device.cable_is_pulled(path, content):
        print(f"adb: error: failed to copy '{source}' to '{path}': couldn't read from device")
        print(f"{source}: 0 files pushed, 0 skipped. 44.3 MB/s ({len(content)} bytes in 0.065s)")
        return 1
    try:
        device.write(path, content)
    except OSError as error:
        print(f"adb: error: failed to copy '{source}' to '{path}': remote {error.strerror}")
        print(f"{source}: 0 files pushed, 0 skipped. 3.4 MB/s ({len(content)} bytes in 0.852s)")
        return 1
    print(f"{source}: 1 file pushed, 0 skipped. 30.1 MB/s ({len(content)} bytes in 0.001s)")
    return 0


def install(device: FolderDevice, option: str, apk: str) -> int:
    assert option == "-r"
    print("Performing Streamed Install")
    if refusal := device.about.get("refusal"):
        return say(f"adb: failed to install {apk}: Failure [{refusal}]")
    (device.root / "installed").touch()
    print("Success")
    return 0


def say(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

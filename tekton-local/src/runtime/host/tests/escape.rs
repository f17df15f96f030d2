//! What a process in a container tries in order to get out, as its root and as the root of namespaces that it makes.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs each trick by itself; those that succeed print their name.
async fn succeed(tricks: &[(&str, &str)], mounts: Vec<Mount>, hidden: Vec<std::path::PathBuf>) -> String {
    let lines = tricks.iter().map(|(name, trick)| {
        let nested = format!("unshare -Urmpf sh -c '{trick}' >/dev/null 2>&1 && echo 'nested: {name}'\n");
        format!("( {trick} ) >/dev/null 2>&1 && echo '{name}'\n{nested}")
    });
    let script = lines.collect::<Vec<_>>().concat();
    let command = vec!["sh".into(), "-c".into(), format!("{script}echo over")];
    let (_, out, err) = run(ContainerSpec { command, mounts, hidden, ..spec() }).await.expect("starts");
    out.strip_suffix("over\n").unwrap_or_else(|| panic!("{out}{err}")).to_owned()
}

#[tokio::test]
async fn mounts_do_not_open_the_host() {
    let tricks = [
        ("remount a directory of the host for writing", "mount -o remount,bind,rw /usr && touch /usr/tekton-escape"),
        ("remount its file system for writing", "mount -o remount,rw /etc && touch /etc/tekton-escape"),
        ("bind it and write", "mkdir -p /tmp/b && mount --bind /usr /tmp/b && touch /tmp/b/tekton-escape"),
        (
            "bind it, remount and write",
            "mkdir -p /tmp/b && mount --bind /usr /tmp/b && mount -o remount,bind,rw /tmp/b && touch /tmp/b/tekton-escape",
        ),
        ("bind without what is below", "mkdir -p /tmp/r && mount --bind / /tmp/r"),
        ("unmount what is over /proc/sys", "umount -l /proc/sys"),
        ("mount a whole /proc", "mkdir -p /tmp/p && mount -t proc proc /tmp/p && : >> /tmp/p/sys/kernel/core_pattern"),
        (
            "mount /sys for writing",
            "unshare -n sh -c \"mkdir -p /tmp/s && mount -t sysfs -o rw sys /tmp/s && mkdir -p /tmp/t && : >> /tmp/s/power/state\"",
        ),
        ("mount cgroup2", "mkdir -p /tmp/c2 && unshare -C mount -t cgroup2 none /tmp/c2"),
        ("mount a hierarchy of cgroups", "mkdir -p /tmp/c1 && unshare -C mount -t cgroup -o memory none /tmp/c1"),
        ("write a cgroup", "mkdir /sys/fs/cgroup/tekton-escape || mkdir /sys/fs/cgroup/*/tekton-escape"),
        (
            "mount a device",
            "for d in $(awk \"NR>2 {print \\$4}\" /proc/partitions); do mknod /tmp/disk-$d b 8 0; mount /tmp/disk-$d /mnt && exit 0; done; false",
        ),
    ];
    assert_eq!(succeed(&tricks, vec![], vec![]).await, "");
    assert!(!Path::new("/usr/tekton-escape").exists() && !Path::new("/etc/tekton-escape").exists());
}

#[tokio::test]
async fn devices_kernel_settings_and_processes_of_the_host_are_out_of_reach() {
    let host = std::process::id();
    let trace = format!("test -e /proc/{host}/environ || kill -0 {host}");
    let tricks = [
        ("make a block device", "mknod /tmp/disk b 8 0"),
        ("make a character device", "mknod /workspace/mem c 1 1"),
        ("find a disk", "ls /dev/sd* /dev/vd* /dev/nvme* /dev/mem /dev/kmsg /dev/fuse /dev/loop*"),
        ("write a kernel setting", "echo 0 > /proc/sys/kernel/randomize_va_space"),
        ("name the program of core dumps", ": >> /proc/sys/kernel/core_pattern"),
        ("press a key", ": >> /proc/sysrq-trigger"),
        ("raise the number of namespaces", "echo 100 > /proc/sys/user/max_cgroup_namespaces"),
        ("load a module", "insmod /dev/null || modprobe dummy"),
        ("change the clock", "date -s @0"),
        ("see a process of the host", trace.as_str()),
        ("see more than its own processes", "test $(ls -d /proc/[0-9]* | wc -l) -gt 20"),
        (
            "leave by the root of a process",
            "test -e /proc/1/root/proc/sys/../../etc/../tmp/.X11-unix || test -e /proc/1/root/lost+found",
        ),
        ("leave by chroot", "mkdir -p /tmp/a && chroot /tmp/a ../../../../bin/true"),
        (
            "set a user id",
            "cp /bin/sh /workspace/sh && chmod u+s /workspace/sh && unshare -U /workspace/sh -p -c \"test $(id -u) = 0\" && false",
        ),
    ];
    assert_eq!(succeed(&tricks, vec![], vec![]).await, "");
}

#[tokio::test]
async fn file_handles_and_foreign_memory_stay_closed() {
    let script = r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
handle, mount = Handle(128, 0), ctypes.c_int()
if libc.name_to_handle_at(-100, b"/usr", ctypes.byref(handle), ctypes.byref(mount), 0) == 0:
    handle.data[0:4] = (2).to_bytes(4, "little")
    handle.data[4:8] = bytes(4)
    fd = libc.open_by_handle_at(os.open("/usr", os.O_RDONLY), ctypes.byref(handle), os.O_RDONLY)
    if fd >= 0:
        print("open by handle")
if libc.ptrace(16, int(os.environ["HOST"]), 0, 0) == 0:
    print("trace")
if libc.syscall(250, 8, -4, 0) > 0 and b"host" in open("/proc/keys", "rb").read():
    print("keys of the session")
print("over")
"#;
    if !["/usr/bin/python3", "/usr/local/bin/python3"].iter().any(|path| Path::new(path).exists()) {
        eprintln!("skipped: there is no python3 to make the system calls");
        return;
    }
    let command =
        ["sh", "-c", "PATH=/usr/bin:/usr/local/bin:$PATH; python3 -c \"$0\"", script].map(String::from).to_vec();
    let env = vec![("HOST".to_owned(), std::process::id().to_string())];
    let (_, out, err) = run(ContainerSpec { command, env, ..spec() }).await.expect("starts");
    assert_eq!(out, "over\n", "{err}");
}

#[tokio::test]
async fn what_is_hidden_stays_hidden_below_volumes_too() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
    let (secrets, kubeconfig) = (dir.path().join("state"), dir.path().join("kubeconfig"));
    std::fs::create_dir(&secrets).expect("made");
    std::fs::write(secrets.join("token"), "sesame").expect("written");
    std::fs::write(&kubeconfig, "sesame").expect("written");
    std::fs::write(dir.path().join("open"), "open").expect("written");
    let hidden = vec![secrets.clone(), kubeconfig];
    let at = dir.path().display();
    let read = format!("grep -rs sesame {at} /workspace");
    let uncover = format!("umount {at}/state /workspace/x/state {at}/kubeconfig /workspace/x/kubeconfig; {read}");
    let tricks = [("read what is hidden", read.as_str()), ("uncover what is hidden", uncover.as_str())];
    let volume = mount(dir.path(), "/workspace/x", false);
    assert_eq!(succeed(&tricks, vec![volume.clone()], hidden.clone()).await, "");
    // A volume at a path beside what is hidden that the host lacks.
    let beside = mount(&dir.path().join("open"), &format!("{at}/made/place"), true);
    assert_eq!(succeed(&tricks, vec![Mount { is_file: true, ..beside }], hidden.clone()).await, "");
    // And at one inside of it.
    std::fs::create_dir(dir.path().join("volume")).expect("made");
    let inside = mount(&dir.path().join("volume"), &format!("{at}/state/made"), false);
    let list = format!("ls {at}/state | grep token");
    assert_eq!(succeed(&[("list what is hidden", list.as_str())], vec![inside], hidden.clone()).await, "");
    let (_, out, _) = run(ContainerSpec {
        command: ["cat", "/workspace/x/open"].map(String::from).to_vec(),
        mounts: vec![volume.clone()],
        hidden: hidden.clone(),
        ..spec()
    })
    .await
    .expect("starts");
    assert_eq!(out, "open", "the rest of the volume is there");
    for volume in [mount(&secrets, "/workspace/x", false), Mount { sub_path: "state".into(), ..volume }] {
        let spec =
            ContainerSpec { command: vec!["true".into()], mounts: vec![volume], hidden: hidden.clone(), ..spec() };
        let error = run(spec).await.expect_err("refused");
        assert!(error.to_string().contains("the node keeps files of its own there"), "{error}");
    }
}

#[test]
fn a_sub_path_that_becomes_a_link_while_it_is_opened_does_not_leave_its_volume() {
    let dir = tempfile::tempdir().expect("a directory");
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    std::fs::create_dir(&real).expect("made");
    std::os::unix::fs::symlink("/etc", &link).expect("a link");
    let (stop, begin) = (AtomicBool::new(false), Instant::now());
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            let shown = dir.path().join("shown");
            while !stop.load(Ordering::Relaxed) && begin.elapsed() < Duration::from_mins(1) {
                for other in [&real, &link] {
                    drop(std::fs::rename(other, &shown));
                    drop(std::fs::rename(&shown, other));
                }
            }
        });
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let seen = executor.block_on(async {
            let container = runtime(dir.path());
            let (mut opened, mut refused, mut outside) = (0, 0, 0);
            for _ in 0..150 {
                let volume = Mount { sub_path: "shown".into(), ..mount(dir.path(), "/workspace/x", false) };
                let command = ["test", "!", "-e", "/workspace/x/passwd"].map(String::from).to_vec();
                match container.launch(ContainerSpec { command, mounts: vec![volume], ..spec() }).await {
                    Ok(started) => {
                        outside += i32::from(started.container.wait().await.code != 0);
                        opened += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
            (opened, refused, outside)
        });
        stop.store(true, Ordering::Relaxed);
        seen
    });
    eprintln!("opened {} times, refused {} times", seen.0, seen.1);
    assert_eq!(seen.2, 0, "a container saw /etc");
    assert!(seen.1 > 0, "no link was met");
}

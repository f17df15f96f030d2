//! The step entrypoint as a program: what it adds to a command, how fast steps hand over, what waiting costs.
//!
//! `cargo bench -p tekton-benches --bench entrypoint` builds the static binary and measures it;
//! `TEKTON_ENTRYPOINT` names another one to measure instead. Linux only.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::{
    error::Error,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const TRUE: &str = "/bin/true";
const RUNS: u32 = 200;
const HAND_OFFS: usize = 50;
const STEPS: usize = 20;
const TEE_BYTES: u64 = 500_000_000;

fn main() -> Outcome<()> {
    let binary = binary()?;
    let scratch = std::env::temp_dir().join(format!("tekton-bench-entrypoint-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let bench = Bench { binary, scratch };
    println!("{:<44} {:>12}", "measure", "value");
    let figures = bench.run_true().and_then(|()| bench.hand_off()).and_then(|()| bench.memory());
    let figures = figures.and_then(|()| bench.tee()).and_then(|()| bench.copy()).and_then(|()| bench.chain());
    fs::remove_dir_all(&bench.scratch)?;
    figures?;
    row("size", &format!("{} B", fs::metadata(&bench.binary)?.len()));
    Ok(())
}

/// The binary to measure, built as it is for an image.
fn binary() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("TEKTON_ENTRYPOINT") {
        return Ok(path.into());
    }
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(root).join("target"), PathBuf::from);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--profile", "entrypoint", "-p", "tekton-entrypoint", "--target", &target])
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .env("CARGO_TARGET_DIR", &directory)
        .current_dir(root)
        .status()?;
    if !status.success() {
        return Err("failed to build the entrypoint".into());
    }
    Ok(directory.join(target).join("entrypoint/tekton-entrypoint"))
}

fn row(measure: &str, value: &str) {
    println!("{measure:<44} {value:>12}");
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// The value below which a share of all values lies.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

/// CPU time of all children that have ended, in hundredths of a second.
fn children_ticks() -> Outcome<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    Ok(fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum())
}

struct Bench {
    binary: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    /// The entrypoint for step `index` below a directory, waiting for a file where one is given.
    fn step(&self, directory: &Path, index: usize, wait: Option<&Path>) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(wait) = wait {
            command.arg("-wait_file").arg(wait);
        }
        command.arg("-post_file").arg(directory.join(format!("run/{index}/out")));
        command.arg("-termination_path").arg(directory.join(format!("termination-{index}")));
        command.arg("-step_metadata_dir").arg(directory.join(format!("run/{index}/status")));
        command
    }

    fn directory(&self, name: &str) -> Outcome<PathBuf> {
        let directory = self.scratch.join(name);
        for step in 0..STEPS {
            fs::create_dir_all(directory.join(format!("run/{step}")))?;
        }
        Ok(directory)
    }

    fn run_true(&self) -> Outcome<()> {
        let directory = self.directory("true")?;
        let mut measured = [Vec::new(), Vec::new()];
        let mut ticks = [0, 0];
        for _ in 0..RUNS {
            for (kind, (times, ticks)) in measured.iter_mut().zip(&mut ticks).enumerate() {
                let mut command = if kind == 0 { Command::new(TRUE) } else { self.step(&directory, 0, None) };
                if kind == 1 {
                    command.args(["-entrypoint", TRUE, "--"]);
                }
                let before = children_ticks()?;
                let start = Instant::now();
                command.status()?;
                times.push(start.elapsed());
                *ticks += children_ticks()? - before;
            }
        }
        let [direct, under] = &mut measured;
        let (direct, under) = (percentile(direct, 50), percentile(under, 50));
        row("run true: over running it directly, median", &milliseconds(under.saturating_sub(direct)));
        let over = ticks[1].saturating_sub(ticks[0]) * 10_000 / u64::from(RUNS);
        row("run true: CPU over running it directly", &format!("{:.2} ms", f64::from(u32::try_from(over)?) / 1e3));
        Ok(())
    }

    /// From the appearance of a file to the first output of the command that waited for it.
    fn hand_off(&self) -> Outcome<()> {
        let mut times = Vec::new();
        for round in 0..HAND_OFFS {
            let directory = self.directory(&format!("hand-{round}"))?;
            let file = directory.join("run/0/out");
            let mut step = self.step(&directory, 1, Some(&file));
            let mut child = step.args(["-entrypoint", "/bin/echo", "--", "x"]).stdout(Stdio::piped()).spawn()?;
            settle(&directory, 1)?;
            let mut output = child.stdout.take().ok_or("the output is a pipe")?;
            let start = Instant::now();
            fs::write(&file, "")?;
            output.read_exact(&mut [0])?;
            times.push(start.elapsed());
            child.wait()?;
        }
        row("hand-off, median", &milliseconds(percentile(&mut times, 50)));
        row("hand-off, 95th percentile", &milliseconds(percentile(&mut times, 95)));
        Ok(())
    }

    fn memory(&self) -> Outcome<()> {
        let directory = self.directory("memory")?;
        let file = directory.join("never");
        let mut step = self.step(&directory, 0, Some(&file));
        let mut child = step.args(["-entrypoint", TRUE, "--"]).spawn()?;
        settle(&directory, 0)?;
        let switches = status(&child, "voluntary_ctxt_switches")?;
        thread::sleep(Duration::from_secs(3));
        row("waiting: anonymous memory", &format!("{} KiB", status(&child, "RssAnon")?));
        row("waiting: peak of memory", &format!("{} KiB", status(&child, "VmHWM")?));
        row("waiting: threads", &status(&child, "Threads")?.to_string());
        let woken = status(&child, "voluntary_ctxt_switches")? - switches;
        row("waiting: wake-ups in 3 s", &woken.to_string());
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    fn tee(&self) -> Outcome<()> {
        let directory = self.directory("tee")?;
        let mut step = self.step(&directory, 0, None);
        step.arg("-stdout_path").arg(directory.join("copy"));
        let size = TEE_BYTES.to_string();
        let before = children_ticks()?;
        let start = Instant::now();
        let mut child =
            step.args(["-entrypoint", "head", "--", "-c", &size, "/dev/zero"]).stdout(Stdio::piped()).spawn()?;
        let mut buffer = vec![0; 1 << 20];
        let mut output = child.stdout.take().ok_or("the output is a pipe")?;
        while output.read(&mut buffer)? > 0 {}
        child.wait()?;
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = f64::from(u32::try_from(TEE_BYTES / 1_000_000)?);
        row("output with a copy", &format!("{:.0} MB/s", megabytes / seconds));
        let ticks = f64::from(u32::try_from(children_ticks()? - before)?);
        row("output with a copy: CPU of a GB, all processes", &format!("{:.2} s", ticks / 100.0 / megabytes * 1e3));
        Ok(())
    }

    fn copy(&self) -> Outcome<()> {
        let mut times = Vec::new();
        for round in 0..20 {
            let start = Instant::now();
            let target = self.scratch.join(format!("copy-{round}"));
            Command::new(&self.binary).arg("cp").arg(&self.binary).arg(target).stderr(Stdio::null()).status()?;
            times.push(start.elapsed());
        }
        row("cp of itself, median", &milliseconds(percentile(&mut times, 50)));
        Ok(())
    }

    fn chain(&self) -> Outcome<()> {
        let directory = self.directory("chain")?;
        let first = directory.join("ready");
        let mut children = Vec::new();
        for index in 0..STEPS {
            let wait = if index == 0 { first.clone() } else { directory.join(format!("run/{}/out", index - 1)) };
            children.push(self.step(&directory, index, Some(&wait)).args(["-entrypoint", TRUE, "--"]).spawn()?);
        }
        settle(&directory, STEPS - 1)?;
        let before = children_ticks()?;
        let start = Instant::now();
        fs::write(&first, "")?;
        for child in &mut children {
            child.wait()?;
        }
        row("chain of 20 steps", &milliseconds(start.elapsed()));
        row("chain of 20 steps: CPU", &format!("{} ms", (children_ticks()? - before) * 10));
        Ok(())
    }
}

/// Waits until a step has made its directories and is asleep.
fn settle(directory: &Path, index: usize) -> Outcome<()> {
    let made = directory.join(format!("run/{index}/status/artifacts"));
    let end = Instant::now() + Duration::from_secs(30);
    while !made.exists() {
        if Instant::now() > end {
            return Err("the entrypoint did not start".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(20));
    Ok(())
}

/// A number of a process's status.
fn status(child: &Child, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).ok_or("no such figure")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

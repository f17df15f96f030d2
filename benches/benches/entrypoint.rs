//! The step entrypoint as a program: what it adds to a command, how fast steps hand over, what waiting costs.
//!
//! `cargo bench -p tekton-benches --bench entrypoint` builds the static binary and measures it;
//! `TEKTON_ENTRYPOINT` names another one to measure instead, and `TMPDIR` where it works. Linux only.
//!
//! Beside each figure stands what upstream's release binary was measured to need on an idle machine of two cores, the
//! best of several runs, and how much of that ours needs.

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
const TEE_BYTES: u32 = 500_000_000;
const IDLE: Duration = Duration::from_secs(5);

fn main() -> Outcome<()> {
    let binary = binary()?;
    let scratch = std::env::temp_dir().join(format!("tekton-bench-entrypoint-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let bench = Bench { binary, scratch };
    println!("{:<44} {:>12} {:>12} {:>8}", "measure", "value", "upstream", "ratio");
    let figures = bench.run_true().and_then(|()| bench.hand_off()).and_then(|()| bench.waiting());
    let figures = figures.and_then(|()| bench.tee()).and_then(|()| bench.copy()).and_then(|()| bench.chain());
    fs::remove_dir_all(&bench.scratch)?;
    figures?;
    row("size", real(fs::metadata(&bench.binary)?.len())? / 1e6, "MB", 46.1);
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

/// Prints a figure beside upstream's, which is 0 where there is none.
fn row(measure: &str, value: f64, unit: &str, upstream: f64) {
    let (shown, ratio) = if upstream > 0.0 {
        (format!("{upstream} {unit}"), format!("{:.3}", value / upstream))
    } else {
        (String::new(), String::new())
    };
    println!("{measure:<44} {:>12} {shown:>12} {ratio:>8}", format!("{value:.3} {unit}"));
}

fn real(number: u64) -> Outcome<f64> {
    Ok(f64::from(u32::try_from(number)?))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The value below which a share of all values lies.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

/// CPU time of all children that have ended, in ticks of 10 ms.
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
        row("run true: over running it directly, median", milliseconds(under.saturating_sub(direct)), "ms", 17.5);
        let over = real(ticks[1].saturating_sub(ticks[0]))? * 10.0 / f64::from(RUNS);
        row("run true: CPU over running it directly", over, "ms", 18.0);
        Ok(())
    }

    /// From the appearance of a file to the first output of the command that waited for it.
    fn hand_off(&self) -> Outcome<()> {
        let (mut times, mut direct) = (Vec::new(), Vec::new());
        for round in 0..HAND_OFFS {
            let start = Instant::now();
            let mut child = Command::new("/bin/echo").arg("x").stdout(Stdio::piped()).spawn()?;
            child.stdout.take().ok_or("the output is a pipe")?.read_exact(&mut [0])?;
            direct.push(start.elapsed());
            child.wait()?;
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
        row("hand-off, median", milliseconds(percentile(&mut times, 50)), "ms", 502.0);
        row("hand-off, 95th percentile", milliseconds(percentile(&mut times, 95)), "ms", 954.0);
        row("its command started directly, median", milliseconds(percentile(&mut direct, 50)), "ms", 0.0);
        Ok(())
    }

    fn waiting(&self) -> Outcome<()> {
        let directory = self.directory("waiting")?;
        let file = directory.join("go");
        let mut children = Vec::new();
        for index in 0..STEPS {
            children.push(self.step(&directory, index, Some(&file)).args(["-entrypoint", TRUE, "--"]).spawn()?);
            settle(&directory, index)?;
        }
        let kibibytes = children.iter().map(|child| status(child, "RssAnon")).collect::<Outcome<Vec<_>>>()?;
        let first = &children[0];
        let (switches, time) = (status(first, "voluntary_ctxt_switches")?, run_time(first)?);
        thread::sleep(IDLE);
        row("waiting: anonymous memory", real(kibibytes[0])? / 1024.0, "MiB", 5.5);
        row("waiting: anonymous memory of 20 steps", real(kibibytes.iter().sum())? / 1024.0, "MiB", 113.0);
        row("waiting: peak of memory", real(status(first, "VmHWM")?)? / 1024.0, "MiB", 0.0);
        row("waiting: threads", real(status(first, "Threads")?)?, "", 0.0);
        row("waiting: CPU in 5 s", milliseconds(run_time(first)?.saturating_sub(time)), "ms", 0.0);
        row("waiting: wake-ups in 5 s", real(status(first, "voluntary_ctxt_switches")? - switches)?, "", 0.0);
        fs::write(&file, "")?;
        for child in &mut children {
            child.wait()?;
        }
        Ok(())
    }

    fn tee(&self) -> Outcome<()> {
        let size = TEE_BYTES.to_string();
        let print = ["head", "-c", &size, "/dev/zero"];
        for (what, copy) in [("with a copy", true), ("without a copy", false), ("of the command alone", false)] {
            let directory = self.directory("tee")?;
            let mut command = if what == "of the command alone" {
                let mut command = Command::new(print[0]);
                command.args(&print[1..]);
                command
            } else {
                let mut step = self.step(&directory, 0, None);
                if copy {
                    step.arg("-stdout_path").arg(directory.join("copy"));
                }
                step.args(["-entrypoint", print[0], "--"]).args(&print[1..]);
                step
            };
            let before = children_ticks()?;
            let start = Instant::now();
            let mut child = command.stdout(Stdio::piped()).spawn()?;
            let mut buffer = vec![0; 1 << 20];
            let mut output = child.stdout.take().ok_or("the output is a pipe")?;
            while output.read(&mut buffer)? > 0 {}
            child.wait()?;
            let speed = f64::from(TEE_BYTES) / 1e6 / start.elapsed().as_secs_f64();
            let time = real(children_ticks()? - before)? / 100.0 / (f64::from(TEE_BYTES) / 1e9);
            row(&format!("output {what}"), speed, "MB/s", if copy { 756.0 } else { 0.0 });
            row(&format!("output {what}: CPU of a GB"), time, "s", if copy { 0.85 } else { 0.0 });
            fs::remove_dir_all(&directory)?;
        }
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
        row("cp of itself, median", milliseconds(percentile(&mut times, 50)), "ms", 36.0);
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
        row("chain of 20 steps", start.elapsed().as_secs_f64(), "s", 11.2);
        row("chain of 20 steps: CPU", real(children_ticks()? - before)? / 100.0, "s", 0.4);
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

/// How long a process has run on a CPU.
fn run_time(child: &Child) -> Outcome<Duration> {
    let text = fs::read_to_string(format!("/proc/{}/schedstat", child.id()))?;
    Ok(Duration::from_nanos(text.split_whitespace().next().unwrap_or_default().parse()?))
}

/// A number of a process's status.
fn status(child: &Child, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).ok_or("no such figure")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

//! The command `simulate`: many random stories, or one of them in words.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tekton_conformance::simulation::{Figures, Scenario, Simulation, Sort, shrink};

/// How many stories a thread takes at a time.
const CHUNK: u64 = 64;
/// Violations after which nobody reads on.
const ENOUGH: usize = 5;
/// Stories after which a long row of them says how far it is.
const PROGRESS: u64 = 20_000;
/// Lines of a story that are printed at most.
const MOST_LINES: usize = 40;

/// Lives random pipelines in a world with a virtual clock while everything around them goes wrong.
///
/// Exit code: 0 when every invariant holds, 1 when one is broken.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Tell the story of this seed in words instead.
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// Threads [default: one for each processor].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Live all seeds even if invariants are broken, naming each broken seed at once and the progress now and then.
    #[arg(long, conflicts_with = "seed")]
    keep_going: bool,
}

/// Runs the command; whether all invariants hold.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "figures, stories and progress are its output")]
pub(crate) fn run(arguments: &Simulate) -> bool {
    // A panic of a decision is caught and becomes part of its story.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = arguments.seed {
        return tell(seed);
    }
    let threads = arguments.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let end = arguments.first.saturating_add(arguments.seeds);
    let (next, begun) = (AtomicU64::new(arguments.first), Instant::now());
    let sums = Mutex::new((Figures::default(), Vec::new()));
    let work = || {
        let simulation = Simulation::default();
        let (mut figures, mut broken) = (Figures::default(), Vec::new());
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= end || broken.len() >= ENOUGH && !arguments.keep_going {
                break;
            }
            if arguments.keep_going && (from - arguments.first) % PROGRESS < CHUNK {
                eprintln!("{} stories after {} s", from - arguments.first, begun.elapsed().as_secs());
            }
            for seed in from..(from + CHUNK).min(end) {
                let told = simulation.tell(&Scenario::of_seed(seed));
                figures.add(&told.figures);
                if let Some(violation) = told.violation {
                    if arguments.keep_going {
                        eprintln!("seed {seed}: {violation}");
                    }
                    broken.push((seed, violation));
                }
            }
        }
        let mut sums = sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sums.0.add(&figures);
        sums.1.extend(broken);
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    let took = begun.elapsed();
    let (figures, mut broken) = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    print_figures(&figures, took);
    broken.sort();
    let shown = if arguments.keep_going { usize::MAX } else { ENOUGH };
    for (seed, violation) in broken.iter().take(shown) {
        println!("seed {seed}: {violation}");
    }
    if let Some((seed, _)) = broken.first() {
        println!("\nthe story of seed {seed}, as short as it can be:");
        let simulation = Simulation::default();
        let (scenario, told) = shrink(&simulation, &Scenario::of_seed(*seed));
        print!("{scenario}");
        print_story(&told.story);
        println!("BROKEN: {}", told.violation.unwrap_or_default());
    }
    broken.is_empty()
}

#[expect(clippy::print_stdout, reason = "the story is this program's output")]
fn tell(seed: u64) -> bool {
    let simulation = Simulation::default();
    let scenario = Scenario::of_seed(seed);
    let told = simulation.tell_in_words(&scenario);
    print!("{scenario}");
    print_story(&told.story);
    match &told.violation {
        Some(violation) => println!("BROKEN: {violation}"),
        None => println!("all invariants hold; {} passes, {} effects", told.figures.passes, told.figures.effects),
    }
    told.violation.is_none()
}

/// Prints a story; of one that does not end, its beginning and its last lines.
#[expect(clippy::print_stdout, reason = "the story is this program's output")]
fn print_story(lines: &[String]) {
    let (beginning, end) = if lines.len() > MOST_LINES {
        (&lines[..MOST_LINES * 3 / 4], &lines[lines.len() - MOST_LINES / 4..])
    } else {
        (lines, &[][..])
    };
    for line in beginning {
        println!("{line}");
    }
    if !end.is_empty() {
        println!("  ... {} lines ...", lines.len() - beginning.len() - end.len());
        for line in end {
            println!("{line}");
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn print_figures(figures: &Figures, took: Duration) {
    let Figures { stories, passes, decisions, effects, idle_wakes, seconds, faults, ends } = figures;
    let each = took.as_micros() / u128::from((*stories).max(1));
    println!("{stories} stories in {:.1} s ({each} us each)", took.as_secs_f64());
    println!("{passes} passes, {decisions} decisions, {effects} effects, {seconds} virtual seconds");
    println!("{idle_wakes} wake-ups with nothing to do");
    let faults: Vec<String> = Sort::NAMES.iter().zip(faults).map(|(name, count)| format!("{count} {name}")).collect();
    println!("faults: {}", faults.join(", "));
    let ends: Vec<String> = ends.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    println!("ends: {}", ends.join(", "));
}

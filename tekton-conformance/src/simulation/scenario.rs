//! What a story is about: a random pipeline, what its containers do, and what goes wrong. All of it follows from a seed.

use std::fmt;

use super::dice::Dice;
use super::faults::Fault;

/// A pipeline, the script of its containers, and the faults of one story.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// The seed that it came from; it also decides who comes first when several runs are due at one moment.
    pub seed: u64,
    /// The tasks.
    pub tasks: Vec<TaskPlan>,
    /// The finally tasks.
    pub finally: Vec<TaskPlan>,
    /// Seconds for the run, for its tasks, for its finally tasks; 0 is no limit.
    pub timeouts: [Option<u32>; 3],
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// One task of the pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskPlan {
    /// Its name.
    pub name: String,
    /// `runAfter`.
    pub after: Vec<String>,
    /// The task whose result is a param of this one.
    pub uses: Option<String>,
    /// The guard.
    pub guard: Option<Guard>,
    /// How many runs it fans out to; 0 without a matrix.
    pub matrix: u8,
    /// `retries`.
    pub retries: u8,
    /// Seconds for one attempt; 0 is no limit.
    pub timeout: Option<u32>,
    /// `onError: continue`.
    pub continues: bool,
    /// What carries it out.
    pub work: Work,
    /// What its attempts come to, in turn.
    pub attempts: Vec<Attempt>,
}

/// What carries a task out.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Work {
    /// A TaskRun with one step.
    #[default]
    Task,
    /// A CustomRun.
    Custom,
    /// A PipelineRun of these tasks.
    Pipeline(Vec<TaskPlan>),
}

/// A guard of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// It never holds.
    Never,
    /// It holds when the result of a task is this word.
    Result {
        /// The task.
        task: String,
        /// The word; scripts print `w`.
        word: char,
        /// Written in CEL.
        cel: bool,
    },
}

/// One attempt at a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How long it takes.
    pub seconds: u32,
    /// How it ends.
    pub end: End,
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With exit code 0 and all results.
    Succeeds,
    /// With exit code 0 and no result.
    Forgets,
    /// With exit code 1.
    Fails,
    /// Never.
    Hangs,
    /// Its image cannot be pulled.
    NoImage,
    /// The node evicts the Pod.
    Evicted,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let timeouts = timeouts(&mut dice);
        let endless = timeouts[0] == Some(0);
        let count = 1 + dice.below(6);
        let mut tasks: Vec<TaskPlan> = Vec::with_capacity(count);
        for number in 0..count {
            let task = task(&mut dice, 't', number, &tasks, endless);
            tasks.push(task);
        }
        let mut finally = Vec::new();
        for number in 0..if dice.one_in(2) { 1 + dice.below(2) } else { 0 } {
            let mut task = TaskPlan { name: format!("f{number}"), ..TaskPlan::default() };
            task.attempts.push(attempt(&mut dice, endless));
            if dice.one_in(3) {
                task.uses = maker(&mut dice, &tasks);
            }
            finally.push(task);
        }
        let span = 60;
        let most = 14 * u32::try_from(tasks.len() + finally.len()).unwrap_or(1);
        let faults = (0..dice.below(4)).map(|_| Fault::roll(&mut dice, most, span)).collect();
        let mut scenario = Self { seed, tasks, finally, timeouts, faults };
        if scenario.tasks.iter().any(|plan| matches!(plan.work, Work::Pipeline(_))) {
            scenario.calm_down();
        }
        scenario
    }

    /// Leaves only the trouble of the controller.
    ///
    /// A PipelineRun that runs others cannot be stopped: upstream knows no way to cancel them, and takes one that runs
    /// when another task fails for skipped. The recorded cases hold us to that.
    fn calm_down(&mut self) {
        self.timeouts = [None; 3];
        self.faults.retain(|fault| fault.sort.is_benign());
        for plan in self.tasks.iter_mut().chain(&mut self.finally) {
            plan.calm_down();
        }
    }

    /// The plan of a task of the run `pipeline_run`, which is the root or a child named after its task.
    pub fn plan(&self, pipeline_run: &str, task: &str) -> Option<&TaskPlan> {
        self.tasks_of(pipeline_run).find(|plan| plan.name == task)
    }

    /// All tasks of the run `pipeline_run`, finally tasks last.
    pub fn tasks_of(&self, pipeline_run: &str) -> impl Iterator<Item = &TaskPlan> {
        let parent = pipeline_run.strip_prefix(super::objects::RUN).and_then(|rest| rest.strip_prefix('-'));
        let nested = parent.map(|parent| match self.tasks.iter().find(|plan| plan.name == parent) {
            Some(TaskPlan { work: Work::Pipeline(tasks), .. }) => tasks.as_slice(),
            _ => &[],
        });
        let (tasks, finally) = match nested {
            Some(tasks) => (tasks, &[][..]),
            None => (self.tasks.as_slice(), self.finally.as_slice()),
        };
        tasks.iter().chain(finally)
    }

    /// The same without what goes wrong.
    #[must_use]
    pub fn without_faults(&self) -> Self {
        Self { faults: Vec::new(), ..self.clone() }
    }
}

impl TaskPlan {
    /// The tasks that it waits for.
    pub fn waits_for(&self) -> impl Iterator<Item = &str> {
        let guard = match &self.guard {
            Some(Guard::Result { task, .. }) => Some(task.as_str()),
            _ => None,
        };
        self.after.iter().map(String::as_str).chain(self.uses.as_deref()).chain(guard)
    }

    fn calm_down(&mut self) {
        self.timeout = None;
        self.attempts.iter_mut().for_each(|attempt| attempt.end = End::Succeeds);
        if let Work::Pipeline(tasks) = &mut self.work {
            tasks.iter_mut().for_each(Self::calm_down);
        }
    }

    /// Forgets that there was a task `name`.
    pub(super) fn forget(&mut self, name: &str) {
        self.after.retain(|after| after != name);
        self.uses.take_if(|uses| uses == name);
        self.guard.take_if(|guard| matches!(guard, Guard::Result { task, .. } if task == name));
    }
}

fn timeouts(dice: &mut Dice) -> [Option<u32>; 3] {
    match dice.below(8) {
        0 => [Some(0), None, None],
        1 => [Some(40), None, None],
        2 => [Some(90), Some(30), None],
        3 => [Some(90), None, Some(20)],
        4 => [Some(0), Some(30), None],
        _ => [None; 3],
    }
}

/// A task that waits for some of those `before` it.
fn task(dice: &mut Dice, letter: char, number: usize, before: &[TaskPlan], endless: bool) -> TaskPlan {
    let mut task = TaskPlan { name: format!("{letter}{number}"), ..TaskPlan::default() };
    task.after = before.iter().filter(|_| dice.one_in(4)).map(|plan| plan.name.clone()).collect();
    if dice.one_in(3) {
        task.uses = maker(dice, before);
    }
    let plain = |plan: &&TaskPlan| plan.matrix == 0 && !matches!(plan.work, Work::Pipeline(_));
    let words: Vec<&TaskPlan> = before.iter().filter(plain).collect();
    task.guard = match dice.below(16) {
        0 => Some(Guard::Never),
        1 | 2 if !words.is_empty() => Some(Guard::Result {
            task: words[dice.below(words.len())].name.clone(),
            word: if dice.one_in(3) { 'x' } else { 'w' },
            cel: dice.one_in(6),
        }),
        _ => None,
    };
    task.work = match dice.below(16) {
        0 => Work::Custom,
        1 if letter == 't' => {
            let mut inner = Vec::new();
            for number in 0..=dice.below(2) {
                let task = self::task(dice, 'n', number, &inner, endless);
                inner.push(task);
            }
            task.uses = None;
            Work::Pipeline(inner)
        }
        _ => Work::Task,
    };
    if task.work == Work::Task {
        if dice.one_in(8) {
            task.matrix = 2 + u8::from(dice.one_in(2));
        }
        match dice.below(6) {
            0 => task.retries = 1 + u8::from(dice.one_in(3)),
            1 => task.continues = true,
            _ => {}
        }
        task.timeout = match dice.below(10) {
            0 => Some(15),
            1 if !endless => Some(0),
            _ => None,
        };
    }
    let unlimited = endless || task.timeout == Some(0);
    task.attempts = (0..=dice.below(3)).map(|_| attempt(dice, unlimited)).collect();
    task
}

/// A task that makes a result.
fn maker(dice: &mut Dice, tasks: &[TaskPlan]) -> Option<String> {
    let makers: Vec<&TaskPlan> = tasks.iter().filter(|plan| !matches!(plan.work, Work::Pipeline(_))).collect();
    if makers.is_empty() { None } else { Some(makers[dice.below(makers.len())].name.clone()) }
}

fn attempt(dice: &mut Dice, endless: bool) -> Attempt {
    let end = match dice.below(24) {
        0..=3 => End::Fails,
        4 => End::Forgets,
        5 if !endless => End::Hangs,
        6 => End::NoImage,
        7 => End::Evicted,
        _ => End::Succeeds,
    };
    Attempt { seconds: 1 + u32::try_from(dice.below(25)).unwrap_or(0), end }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, limit) in ["the run", "its tasks", "its finally tasks"].iter().zip(self.timeouts) {
            match limit {
                Some(0) => writeln!(f, "  {what} may take for ever")?,
                Some(seconds) => writeln!(f, "  {what} may take {seconds} s")?,
                None => {}
            }
        }
        self.tasks.iter().try_for_each(|task| task.write(f, "task", 2))?;
        self.finally.iter().try_for_each(|task| task.write(f, "finally", 2))?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "  fault: {fault}"))
    }
}

impl TaskPlan {
    fn write(&self, f: &mut fmt::Formatter<'_>, what: &str, indent: usize) -> fmt::Result {
        write!(f, "{:indent$}{what} {}", "", self.name)?;
        if !self.after.is_empty() {
            write!(f, ", after {}", self.after.join(" and "))?;
        }
        if let Some(maker) = &self.uses {
            write!(f, ", uses the result of {maker}")?;
        }
        match &self.guard {
            Some(Guard::Never) => write!(f, ", guarded by what never holds")?,
            Some(Guard::Result { task, word, cel }) => {
                write!(f, ", only if {task} says {word}{}", if *cel { " (CEL)" } else { "" })?;
            }
            None => {}
        }
        if self.matrix > 0 {
            write!(f, ", {} times", self.matrix)?;
        }
        if self.retries > 0 {
            write!(f, ", retries {}", self.retries)?;
        }
        match self.timeout {
            Some(0) => write!(f, ", may take for ever")?,
            Some(seconds) => write!(f, ", may take {seconds} s")?,
            None => {}
        }
        if self.continues {
            write!(f, ", onError continue")?;
        }
        let attempts: Vec<String> = self.attempts.iter().map(Attempt::to_string).collect();
        match &self.work {
            Work::Task => writeln!(f, ": {}", attempts.join(", then ")),
            Work::Custom => writeln!(f, ", a custom task: {}", attempts.join(", then ")),
            Work::Pipeline(tasks) => {
                writeln!(f, ", a pipeline:")?;
                tasks.iter().try_for_each(|task| task.write(f, "task", indent + 2))
            }
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds;
        match self.end {
            End::Succeeds => write!(f, "succeeds after {seconds} s"),
            End::Forgets => write!(f, "succeeds after {seconds} s without a result"),
            End::Fails => write!(f, "fails after {seconds} s"),
            End::Hangs => f.write_str("never ends"),
            End::NoImage => f.write_str("cannot pull its image"),
            End::Evicted => write!(f, "is evicted after {seconds} s"),
        }
    }
}

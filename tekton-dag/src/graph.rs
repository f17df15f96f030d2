//! The graph of a pipeline: nodes by name, edges from a task to those that wait for it. Knows no Tekton types.
//!
//! petgraph holds the nodes and edges; walks follow a copy in two flat lists, one a direction, because petgraph chains
//! the edges of a node through memory. Every walk here visits each node and edge once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use petgraph::graph::{DiGraph, NodeIndex};

/// What each task waits for, by task name; a task that waits for nothing may be left out.
pub type Dependencies<'a> = IndexMap<&'a str, Vec<&'a str>>;

/// Why a graph could not be built, or a list of done tasks made no sense in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Two tasks have one name.
    #[error("task {0} is already present in Graph, can't add it again: duplicate pipeline task")]
    Duplicate(String),
    /// Some tasks wait for each other. Names the first of them by name, and what it still waits for.
    #[error("cycle detected; task {} depends on {}", quote(task), waits_for.iter().map(|d| quote(d)).collect::<Vec<_>>().join(", "))]
    Cycle {
        /// The smallest name among the tasks that could never start.
        task: String,
        /// The dependencies of that task that could never finish, sorted.
        waits_for: Vec<String>,
    },
    /// A task waits for one that does not exist.
    #[error(
        "couldn't add link between {task} and {missing}: task {task} depends on {missing} but {missing} wasn't present in Pipeline"
    )]
    Unknown {
        /// The task that waits.
        task: String,
        /// The name that no task has.
        missing: String,
    },
    /// Tasks are said to be done although what they wait for is not.
    #[error("invalid list of done tasks; some tasks were indicated completed without ancestors being done: [{}]", .0.join(" "))]
    DoneOutOfOrder(Vec<String>),
}

/// A text as Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                write!(out, "\\x{:02x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A graph without cycles. Nodes are numbered in the order in which the tasks were given.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    inner: DiGraph<(), ()>,
    names: Arc<Names>,
    parents: Adjacency,
    children: Adjacency,
    order: Vec<usize>,
}

/// The names of tasks, numbered.
pub(crate) type Names = IndexSet<Box<str>>;

/// The neighbours of each node in one direction: those of node `n` stand from `starts[n]` to `starts[n + 1]`.
#[derive(Debug, Clone, Default)]
struct Adjacency {
    starts: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Adjacency {
    /// The neighbours of `nodes` nodes over the edges from the first to the second; in the order of the edges.
    fn of(nodes: usize, edges: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for (node, _) in edges.clone() {
            starts[node + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut neighbours = vec![0; starts[nodes] as usize];
        for (node, neighbour) in edges {
            neighbours[next[node] as usize] = u32::try_from(neighbour).expect("petgraph numbers nodes with 32 bits");
            next[node] += 1;
        }
        Self { starts, neighbours }
    }

    fn of_node(&self, node: usize) -> &[u32] {
        &self.neighbours[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

impl Graph {
    /// Builds the graph of `tasks`, where `dependencies` says what each waits for.
    ///
    /// Errors, in this order: a name given twice, a cycle, a dependency that no task has as its name.
    pub fn build<'a>(
        tasks: impl IntoIterator<Item = &'a str>,
        dependencies: &Dependencies<'_>,
    ) -> Result<Self, GraphError> {
        let tasks = tasks.into_iter();
        let mut names = Names::with_capacity(tasks.size_hint().0);
        for name in tasks {
            if !names.insert(name.into()) {
                return Err(GraphError::Duplicate(name.to_owned()));
            }
        }
        let edges: usize = dependencies.values().map(Vec::len).sum();
        let mut inner = DiGraph::with_capacity(names.len(), edges);
        for _ in 0..names.len() {
            inner.add_node(());
        }
        let mut missing = None;
        // The task that each node was last seen to be waited for by: an edge counts once.
        let mut last_for = vec![usize::MAX; names.len()];
        for (task, waits_for) in dependencies {
            let to = names.get_index_of(*task);
            for name in waits_for {
                if let (Some(to), Some(from)) = (to, names.get_index_of(*name)) {
                    if std::mem::replace(&mut last_for[from], to) != to {
                        inner.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
                    }
                } else if missing.is_none() {
                    missing = Some(GraphError::Unknown { task: (*task).to_owned(), missing: (*name).to_owned() });
                }
            }
        }
        let edges = || inner.raw_edges().iter().map(|edge| (edge.source().index(), edge.target().index()));
        let children = Adjacency::of(names.len(), edges());
        let parents = Adjacency::of(names.len(), edges().map(|(from, to)| (to, from)));
        let mut graph = Self { inner, names: Arc::new(names), parents, children, order: Vec::new() };
        graph.order = graph.sort();
        if graph.order.len() < graph.len() {
            return Err(graph.cycle());
        }
        missing.map_or(Ok(graph), Err)
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of the task called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.names.get_index_of(name)
    }

    /// The name of a task. Panics when there is no such number.
    pub fn name(&self, task: usize) -> &str {
        &self.names[task]
    }

    /// All names, in the order in which the tasks were given.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// What `task` waits for.
    pub fn parents(&self, task: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.parents.of_node(task).iter().map(|parent| *parent as usize)
    }

    /// What waits for `task`.
    pub fn children(&self, task: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.children.of_node(task).iter().map(|child| *child as usize)
    }

    /// Every edge, as (earlier, later).
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.inner.raw_edges().iter().map(|e| (e.source().index(), e.target().index()))
    }

    /// All tasks so that each comes after those that it waits for; given order among the free ones.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The names with their numbers, to keep beside the graph.
    pub(crate) fn numbered(&self) -> &Arc<Names> {
        &self.names
    }

    /// The graph that petgraph holds, for its algorithms.
    pub fn petgraph(&self) -> &DiGraph<(), ()> {
        &self.inner
    }

    /// Tasks that are not done and wait for nothing that is not done, reached from the roots through done tasks.
    ///
    /// Errors: a task in `done` is not reached that way.
    pub fn candidates<'a>(&self, done: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<usize>, GraphError> {
        let given: Vec<&str> = done.into_iter().collect();
        let mut is_done = vec![false; self.len()];
        for task in given.iter().filter_map(|name| self.index_of(name)) {
            is_done[task] = true;
        }
        let (candidates, visited) = self.reach(&is_done);
        let unreached: Vec<String> = given
            .into_iter()
            .filter(|name| !self.index_of(name).is_some_and(|task| visited[task]))
            .map(str::to_owned)
            .collect();
        if unreached.is_empty() {
            Ok(candidates.into_iter().collect())
        } else {
            Err(GraphError::DoneOutOfOrder(unreached))
        }
    }

    /// The candidates among all tasks, and which tasks are reached from the roots through done tasks.
    pub(crate) fn reach(&self, is_done: &[bool]) -> (Vec<usize>, Vec<bool>) {
        let mut visited = vec![false; self.len()];
        let mut queue: VecDeque<usize> = (0..self.len()).filter(|task| self.parents(*task).len() == 0).collect();
        for root in &queue {
            visited[*root] = true;
        }
        let mut candidates = Vec::new();
        while let Some(task) = queue.pop_front() {
            if is_done[task] {
                for next in self.children(task) {
                    if !std::mem::replace(&mut visited[next], true) {
                        queue.push_back(next);
                    }
                }
            } else if self.parents(task).all(|parent| is_done[parent]) {
                candidates.push(task);
            }
        }
        (candidates, visited)
    }

    fn sort(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> = (0..self.len()).map(|task| self.parents(task).len()).collect();
        let mut order: Vec<usize> = (0..self.len()).filter(|task| waiting[*task] == 0).collect();
        let mut next = 0;
        while next < order.len() {
            for child in self.children(order[next]) {
                waiting[child] -= 1;
                if waiting[child] == 0 {
                    order.push(child);
                }
            }
            next += 1;
        }
        order
    }

    /// The error for the tasks that the order could not reach.
    fn cycle(&self) -> GraphError {
        let mut stuck: BTreeMap<&str, usize> = self.names().enumerate().map(|(task, name)| (name, task)).collect();
        for task in &self.order {
            stuck.remove(self.name(*task));
        }
        let (name, task) = stuck.first_key_value().expect("a graph with a cycle has tasks that are not in its order");
        let waits_for: BTreeSet<&str> =
            self.parents(*task).map(|parent| self.name(parent)).filter(|parent| stuck.contains_key(parent)).collect();
        GraphError::Cycle { task: (*name).to_owned(), waits_for: waits_for.into_iter().map(str::to_owned).collect() }
    }
}

/// Which tasks may start, kept up to date as tasks finish: O(V+E) over the whole life of a run.
///
/// ```
/// use tekton_dag::graph::{Dependencies, Frontier, Graph};
///
/// let graph = Graph::build(["build", "test", "deploy"], &Dependencies::from([("deploy", vec!["build", "test"])])).unwrap();
/// let mut frontier = Frontier::new(&graph);
/// assert_eq!(frontier.take_ready(), [0, 1]);
/// frontier.finish(0);
/// assert!(frontier.take_ready().is_empty());
/// frontier.finish(1);
/// assert_eq!(frontier.take_ready(), [2]);
/// ```
#[derive(Debug, Clone)]
pub struct Frontier<'g> {
    graph: &'g Graph,
    waiting: Vec<u32>,
    finished: Vec<bool>,
    ready: Vec<usize>,
}

impl<'g> Frontier<'g> {
    /// Starts with the roots ready and nothing finished.
    pub fn new(graph: &'g Graph) -> Self {
        let waiting: Vec<u32> = (0..graph.len())
            .map(|task| u32::try_from(graph.parents(task).len()).expect("petgraph numbers edges with 32 bits"))
            .collect();
        let ready = (0..graph.len()).filter(|task| waiting[*task] == 0).collect();
        Self { graph, waiting, finished: vec![false; graph.len()], ready }
    }

    /// Records that a task is done (succeeded, failed or skipped); a second time changes nothing.
    pub fn finish(&mut self, task: usize) {
        if std::mem::replace(&mut self.finished[task], true) {
            return;
        }
        for child in self.graph.children(task) {
            self.waiting[child] -= 1;
            if self.waiting[child] == 0 {
                self.ready.push(child);
            }
        }
    }

    /// The tasks that became ready since the last call.
    pub fn take_ready(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(tasks: &[&str], dependencies: &[(&'static str, &[&'static str])]) -> Result<Graph, GraphError> {
        let dependencies: Dependencies<'_> = dependencies.iter().map(|(task, on)| (*task, on.to_vec())).collect();
        Graph::build(tasks.iter().copied(), &dependencies)
    }

    #[test]
    fn a_cycle_names_its_smallest_task_and_what_that_waits_for() {
        let error =
            build(&["a", "b", "c"], &[("c", &["b"]), ("b", &["c", "a"])]).expect_err("b and c wait for each other");
        assert_eq!(error.to_string(), r#"cycle detected; task "b" depends on "c""#);
    }

    #[test]
    fn a_task_that_waits_for_itself_is_a_cycle() {
        let error = build(&["a"], &[("a", &["a"])]).expect_err("a waits for itself");
        assert_eq!(error.to_string(), r#"cycle detected; task "a" depends on "a""#);
    }

    #[test]
    fn an_unknown_dependency_is_reported_after_cycles() {
        let error = build(&["a"], &[("a", &["x"])]).expect_err("there is no x");
        assert_eq!(
            error.to_string(),
            "couldn't add link between a and x: task a depends on x but x wasn't present in Pipeline"
        );
    }

    #[test]
    fn a_done_task_whose_ancestors_are_not_done_is_an_error() {
        let graph = build(&["a", "b", "c"], &[("b", &["a"]), ("c", &["b"])]).expect("a chain");
        assert_eq!(graph.candidates(["c"]), Err(GraphError::DoneOutOfOrder(vec!["c".to_owned()])));
        assert_eq!(graph.candidates(["a"]).expect("a is a root").into_iter().collect::<Vec<_>>(), [1]);
    }
}

//! The drawing as SVG: a column a level, boxes with names, curves from each task to those that wait for it.

use std::collections::HashMap;

use super::{Drawing, Task, push};

/// Width of one character of a name.
const CHARACTER: usize = 8;
const ROW: usize = 44;
const BOX: usize = 30;
const GAP: usize = 70;
const MARGIN: usize = 20;

/// Where a box stands.
struct Spot {
    x: usize,
    y: usize,
    width: usize,
}

pub(super) fn svg(drawing: &Drawing) -> String {
    let (columns, finally) = columns(drawing);
    let mut spots: HashMap<&str, Spot> = HashMap::new();
    let (mut x, mut bottom) = (MARGIN, 0);
    for column in columns.iter().chain([&finally]).filter(|column| !column.is_empty()) {
        let longest = column.iter().flat_map(|task| [&task.name, &task.note]).map(|text| text.chars().count()).max();
        let width = longest.unwrap_or(0) * CHARACTER + 2 * CHARACTER;
        for (row, task) in column.iter().enumerate() {
            let y = MARGIN + row * ROW;
            spots.insert(&task.name, Spot { x, y, width });
            bottom = bottom.max(y + ROW);
        }
        x += width + GAP;
    }
    let (width, height) = ((x + MARGIN).saturating_sub(GAP), bottom + MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\">\n"
    );
    for task in &drawing.tasks {
        for before in &task.after {
            let (Some(from), Some(to)) = (spots.get(before.as_str()), spots.get(task.name.as_str())) else { continue };
            let (x1, y1, x2, y2) = (from.x + from.width, from.y + BOX / 2, to.x, to.y + BOX / 2);
            let (c1, c2) = (x1 + GAP / 2, x2.saturating_sub(GAP / 2));
            push(
                &mut text,
                format_args!(
                    "  <path d=\"M{x1} {y1} C{c1} {y1} {c2} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#8a8a8a\"/>\n"
                ),
            );
        }
    }
    for (task, dashes) in drawing
        .tasks
        .iter()
        .map(|task| (task, ""))
        .chain(drawing.finally.iter().map(|task| (task, " stroke-dasharray=\"4\"")))
    {
        let Some(Spot { x, y, width }) = spots.get(task.name.as_str()) else { continue };
        push(
            &mut text,
            format_args!(
                "  <rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\" rx=\"5\" fill=\"#fff\" stroke=\"#333\"{dashes}/>\n"
            ),
        );
        let left = x + CHARACTER;
        if task.note.is_empty() {
            push(&mut text, format_args!("  <text x=\"{left}\" y=\"{}\">{}</text>\n", y + 20, escaped(&task.name)));
        } else {
            push(&mut text, format_args!("  <text x=\"{left}\" y=\"{}\">{}</text>\n", y + 14, escaped(&task.name)));
            push(
                &mut text,
                format_args!(
                    "  <text x=\"{left}\" y=\"{}\" font-size=\"10\" fill=\"#666\">{}</text>\n",
                    y + 26,
                    escaped(&task.note)
                ),
            );
        }
    }
    text.push_str("</svg>\n");
    text
}

/// The tasks level by level, near those that they wait for; and the finally tasks.
fn columns(drawing: &Drawing) -> (Vec<Vec<&Task>>, Vec<&Task>) {
    let levels = drawing.levels();
    let mut columns: Vec<Vec<&Task>> = vec![Vec::new(); levels.iter().max().map_or(0, |most| most + 1)];
    for (task, level) in drawing.tasks.iter().zip(levels) {
        columns[level].push(task);
    }
    let mut rows: HashMap<&str, usize> = HashMap::new();
    for column in &mut columns {
        // The mean row of what a task waits for, times a number that keeps the order of close ones.
        column.sort_by_cached_key(|task| {
            let known: Vec<usize> = task.after.iter().filter_map(|name| rows.get(name.as_str()).copied()).collect();
            known.iter().sum::<usize>() * 1_000 / known.len().max(1)
        });
        rows.extend(column.iter().enumerate().map(|(row, task)| (task.name.as_str(), row)));
    }
    (columns, drawing.finally.iter().collect())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

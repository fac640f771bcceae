//! The page of a run: what was measured where, the targets, and a plot and a table for each case.

use std::fmt::Write;
use std::fs;

use plotters::prelude::{IntoDrawingArea, PathElement, Rectangle, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use crate::contender::Found;
use crate::driver::Outcome;
use crate::options::Options;
use crate::report::{COUNTED_ONCE, number};
use crate::targets::Verdict;

const WIDTH: i32 = 760;
const ROW: i32 = 24;
const LEFT: i32 = 160;
const RIGHT: i32 = 200;

/// Colours that stand for variables of the page's style, which differ in light and dark.
const INK: RGBColor = RGBColor(1, 1, 1);
const OWN: RGBColor = RGBColor(2, 2, 2);
const PEER: RGBColor = RGBColor(3, 3, 3);
const FLOOR: RGBColor = RGBColor(4, 4, 4);
const VARIABLES: &[(&str, &str)] = &[
    ("#010101", "var(--ink)"),
    ("#020202", "var(--own)"),
    ("#030303", "var(--peer)"),
    ("#040404", "var(--floor)"),
];

/// The whole page.
pub(crate) fn page(
    outcomes: &[Outcome],
    targets: &[Verdict],
    found: &Found,
    options: &Options,
    took: &str,
) -> String {
    let mut html = format!(
        "{HEAD}<h1>evloop beside its peers</h1>\n<p>{} {took}.</p>\n",
        machine()
    );
    let versions: Vec<_> = found
        .contenders
        .iter()
        .filter(|one| !one.version.is_empty())
        .map(|one| format!("{}: {}", one.row.name, one.version))
        .collect();
    let _ = writeln!(html, "<p>{}.</p>", escape(&versions.join("; ")));
    if !found.missing.is_empty() {
        let _ = writeln!(
            html,
            "<p>Left out, as not installed: <code>apt-get install {}</code></p>",
            found.missing.join(" ")
        );
    }
    let _ = writeln!(
        html,
        "<p>Each contender runs in a process of its own: a new one in each repetition, but for timers and sockets. In each of {} repetitions, fewer or more of some works, all run one batch in turn, in an order that is drawn (seed {}), so that each is about as often at each place; \
         bars are medians, of nanoseconds an operation where no other unit is said, whiskers the quartiles, ratios are taken within a repetition: to the floor beside the bar, and at the right edge evloop's to each. \
         Shorter is better. Counts are taken in runs of their own; instructions are those in user space, without a signal's handler.</p>",
        options.reps * options.runs,
        options.seed,
    );
    html.push_str(&target_table(targets));
    let mut last = "";
    for outcome in outcomes {
        let name = outcome.case.work.name.as_str();
        if name != last {
            let text = outcome.case.about.text;
            let _ = writeln!(html, "<h2>{name}</h2>\n<p>{text}</p>");
            last = name;
        }
        let _ = writeln!(html, "<h3>{}</h3>\n{}", outcome.case.label(), plot(outcome));
        html.push_str(&details(outcome));
    }
    html.push_str("</main></html>\n");
    html
}

fn target_table(targets: &[Verdict]) -> String {
    let Some(runs) = targets.iter().map(|target| target.values.len()).max() else {
        return String::new();
    };
    let mut html = format!(
        "<h2>Targets</h2>\n<table><tr><th>target<th>at most<th colspan={runs}>is<th>reached</tr>\n"
    );
    for target in targets {
        let class = if target.is_reached() {
            "reached"
        } else {
            "missed"
        };
        let _ = write!(
            html,
            "<tr class={class}><td>{}<td>{:.2}",
            target.name(),
            target.limit
        );
        for value in &target.values {
            // What was counted once.
            let columns = runs / target.values.len();
            let _ = write!(html, "<td colspan={columns}>{value:.2}");
        }
        let _ = writeln!(html, "<td>{}</tr>", target.says());
    }
    html.push_str("</table>\n");
    if runs > 1 {
        let _ = writeln!(html, "<p class=absent>{COUNTED_ONCE}</p>");
    }
    html
}

/// A bar for each contender.
fn plot(outcome: &Outcome) -> String {
    let rows = i32::try_from(outcome.measured.len()).expect("few contenders");
    let height = rows * ROW + 8;
    let longest = outcome
        .measured
        .iter()
        .map(|own| own.time().high)
        .fold(1.0, f64::max);
    let at = |time: f64| LEFT + (time / longest * f64::from(WIDTH - LEFT - RIGHT)) as i32;
    let mut svg = String::new();
    {
        let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let style = |h| -> TextStyle<'_> {
            let font = ("system-ui, sans-serif", 14).into_font();
            TextStyle::from(font)
                .color(&INK)
                .pos(Pos::new(h, VPos::Center))
        };
        for (row, own) in (0..).zip(&outcome.measured) {
            let (top, middle) = (row * ROW + 6, row * ROW + 6 + ROW / 2 - 2);
            let time = own.time();
            let colour = match own.name {
                name if name.starts_with("evloop") => OWN,
                name if name.starts_with("raw") => FLOOR,
                _ => PEER,
            };
            let bar = [(LEFT, top), (at(time.median), top + ROW - 8)];
            let ratio = outcome
                .ratio(own)
                .map_or_else(String::new, |ratio| format!("  {ratio:.2}×"));
            let says = format!("{:.1} {}{ratio}", time.median, outcome.case.reading.unit);
            let own_ratio = number(outcome.own_ratio(own), 2);
            let whisker = vec![(at(time.low), middle), (at(time.high), middle)];
            let drawn = area
                .draw(&Rectangle::new(bar, colour.filled()))
                .and_then(|()| area.draw(&PathElement::new(whisker, INK.stroke_width(1))))
                .and_then(|()| {
                    area.draw(&Text::new(
                        own.name,
                        (LEFT - 10, middle),
                        style(HPos::Right),
                    ))
                })
                .and_then(|()| {
                    let at_edge = (WIDTH, middle);
                    area.draw(&Text::new(own_ratio, at_edge, style(HPos::Right)))
                })
                .and_then(|()| {
                    area.draw(&Text::new(
                        says,
                        (at(time.high) + 8, middle),
                        style(HPos::Left),
                    ))
                });
            drawn.expect("a string takes everything");
        }
        area.present().expect("a string takes everything");
    }
    for (colour, variable) in VARIABLES {
        svg = svg.replace(colour, variable);
    }
    svg
}

fn details(outcome: &Outcome) -> String {
    let mut html = String::new();
    if outcome
        .measured
        .iter()
        .any(|own| own.counts.syscalls.or(own.counts.instructions).is_some())
    {
        html.push_str("<table><tr><th>an operation<th>instructions<th>system calls<th>epoll_ctl<th>allocations</tr>\n");
        for own in &outcome.measured {
            let counts = &own.counts;
            let _ = writeln!(
                html,
                "<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
                own.name,
                number(counts.instructions, 0),
                number(counts.syscalls, 2),
                number(counts.epoll_ctl, 2),
                number(counts.allocations, 2),
            );
        }
        html.push_str("</table>\n");
    }
    let absent: Vec<_> = outcome
        .absent
        .iter()
        .map(|(name, why)| format!("{name} ({why})"))
        .collect();
    if !absent.is_empty() {
        let _ = writeln!(
            html,
            "<p class=absent>Left out: {}.</p>",
            escape(&absent.join(", "))
        );
    }
    html
}

/// Date, kernel, processor, and how its kernel returns.
fn machine() -> String {
    let date = std::process::Command::new("date")
        .arg("-u")
        .arg("+%F %H:%M UTC")
        .output();
    let date = date.map_or_else(
        |_| String::new(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    );
    let system = rustix::system::uname();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("an unnamed processor");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = system.release().to_string_lossy().into_owned();
    // What a return costs that follows a system call.
    let returns = "/sys/devices/system/cpu/vulnerabilities/spec_rstack_overflow";
    let returns = fs::read_to_string(returns).unwrap_or_else(|_| "unknown".to_owned());
    escape(&format!(
        "{date}. {count} processors, {model}; Linux {kernel}; spec_rstack_overflow: {}.",
        returns.trim()
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>evloop beside its peers</title>
<meta name=viewport content='width=device-width'>
<style>
:root { color-scheme: light dark; --ink: #1d2330; --paper: #fcfcfa; --own: #d9622b; --peer: #8fa3bf; --floor: #b9b6a8; --line: #dddad0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe3ea; --paper: #15181e; --own: #f08a4b; --peer: #5b7396; --floor: #6a675c; --line: #333842 } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem }
main { max-width: 780px; margin: auto } svg { max-width: 100%; height: auto }
h2 { margin: 2.5rem 0 .3rem; border-bottom: 1px solid var(--line) } h3 { margin: 1.2rem 0 .2rem; font-size: 1rem }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
td, th { padding: .15rem .9rem .15rem 0; text-align: right; border-bottom: 1px solid var(--line) }
td:first-child, th:first-child { text-align: left } .absent { font-size: .85rem; opacity: .75 }
</style><main>
";

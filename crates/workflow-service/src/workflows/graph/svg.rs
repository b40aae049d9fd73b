//! Graphs as pictures. Stages stand under each other in the order in which they run, the nodes of a stage in layers inside
//! it, so a line that leads back is the only one that has to go around.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::draw::is_dashed;
use super::model::{BoxKind, GraphBox, GraphLine, LineKind, Outer, WorkflowGraph};
use crate::text::harmless;

const CHARACTER: usize = 8;
const LINE: usize = 18;
const PADDING: usize = 12;
const GAP: usize = 36;
/// The room beside the nodes of a stage for a line that goes around some of them.
const LANE: usize = 8;
const STYLE: &str = "<style>svg{font:13px sans-serif;color-scheme:light dark}rect{fill:#f6f8fa;stroke:#57606a}\
    rect.in{fill:#fff}text{fill:#1f2328}text.n{fill:#57606a}path{fill:none;stroke:#57606a}.d{stroke-dasharray:5 4}\
    marker path{fill:#57606a}@media(prefers-color-scheme:dark){rect{fill:#21262d}rect.in{fill:#161b22}\
    text{fill:#e6edf3}text.n,path,rect{stroke-opacity:.8}text.n{fill:#9198a1}}</style>";

/// Where a box is.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Place {
    fn middle(self) -> usize {
        self.x + self.width / 2
    }

    fn bottom(self) -> usize {
        self.y + self.height
    }

    fn right(self) -> usize {
        self.x + self.width
    }
}

/// The size of a box by its texts.
fn size(found: &GraphBox) -> Place {
    let texts = std::iter::once(&found.label).chain(&found.notes);
    let width = texts.map(|text| width_of(text)).max().unwrap_or(0) + 2 * PADDING;
    Place { width: width.max(70), height: (found.notes.len() + 1) * LINE + PADDING, ..Place::default() }
}

/// About how wide a text is. Ideographs and the like are twice as wide as letters.
fn width_of(text: &str) -> usize {
    text.chars().map(|c| if u32::from(c) >= 0x1100 { 2 * CHARACTER } else { CHARACTER }).sum()
}

/// The layer of each node of a stage: behind all that it needs.
fn layers<'g>(stage: &Outer<'g>) -> Vec<Vec<&'g GraphBox>> {
    let mut behind: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut missing: HashMap<&str, usize> = HashMap::new();
    for line in &stage.lines {
        behind.entry(&line.from).or_default().push(&line.to);
        *missing.entry(&line.to).or_default() += 1;
    }
    // A checked graph has no circle, so each node gets its turn once all that it needs had theirs.
    let ids = stage.nodes.iter().map(|node| node.id.as_str());
    let mut ready: Vec<&str> = ids.filter(|id| !missing.contains_key(id)).collect();
    let mut layer: HashMap<&str, usize> = HashMap::new();
    while let Some(id) = ready.pop() {
        let next = layer.get(id).map_or(1, |own| own + 1);
        for after in behind.get(id).into_iter().flatten() {
            let place = layer.entry(after).or_default();
            *place = next.max(*place);
            if let Some(missing) = missing.get_mut(after) {
                *missing -= 1;
                if *missing == 0 {
                    ready.push(after);
                }
            }
        }
    }
    let of = |node: &GraphBox| layer.get(node.id.as_str()).copied().unwrap_or_default();
    let count = stage.nodes.iter().map(|node| of(node) + 1).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); count];
    for node in &stage.nodes {
        layers[of(node)].push(*node);
    }
    layers
}

/// Whether a line between two nodes leads past other nodes, which it has to go around.
fn is_long(line: &GraphLine, places: &HashMap<&str, Place>) -> bool {
    let (from, to) = (places.get(line.from.as_str()), places.get(line.to.as_str()));
    matches!(line.kind, LineKind::Needs | LineKind::Arm)
        && from.zip(to).is_some_and(|(from, to)| to.y > from.bottom() + GAP)
}

/// The places of all boxes, and the size of the picture.
fn places(graph: &WorkflowGraph) -> (HashMap<&str, Place>, Place) {
    let mut places = HashMap::new();
    let mut y = PADDING;
    let mut outer: Vec<(&str, usize)> = Vec::new();
    for stage in graph.outer() {
        let mut own = Place { y, ..size(stage.found) };
        let layers: Vec<Vec<_>> = layers(&stage)
            .into_iter()
            .map(|layer| layer.into_iter().map(|node| (node, size(node))).collect())
            .collect();
        let wide =
            |layer: &Vec<(_, Place)>| layer.iter().map(|(_, node)| node.width + PADDING).sum::<usize>();
        let widest = layers.iter().map(wide).max().unwrap_or(0);
        let mut inner_y = own.bottom() + PADDING;
        for layer in &layers {
            let mut x = 2 * PADDING + (widest - wide(layer)) / 2;
            let mut height = 0;
            for (node, size) in layer {
                places.insert(node.id.as_str(), Place { x, y: inner_y, ..*size });
                (x, height) = (x + size.width + PADDING, height.max(size.height));
            }
            inner_y += height + GAP;
            own.height = inner_y - GAP + PADDING - own.y;
        }
        if !stage.nodes.is_empty() {
            let long = stage.lines.iter().filter(|line| is_long(line, &places)).count();
            own.width = own.width.max(widest + 3 * PADDING + long * LANE);
        }
        y = own.bottom() + GAP;
        places.insert(stage.found.id.as_str(), own);
        outer.push((&stage.found.id, own.width));
    }
    // The boxes are centred under each other, and nodes move with their stage.
    let widest = places.values().map(|place| place.width).max().unwrap_or(0);
    let outer: HashMap<&str, usize> =
        outer.into_iter().map(|(id, width)| (id, PADDING + (widest - width) / 2)).collect();
    for found in &graph.boxes {
        let stage = found.stage.as_ref().map_or(found.id.as_str(), |stage| stage.as_str());
        if let (Some(place), Some(x)) = (places.get_mut(found.id.as_str()), outer.get(stage)) {
            place.x += x;
        }
    }
    let aside = |line: &GraphLine| line.label.as_ref().map_or(0, |label| width_of(label) + 3 * GAP);
    let right = widest + PADDING + graph.lines.iter().map(aside).max().unwrap_or(0);
    (places, Place { width: right + 2 * PADDING, height: y, ..Place::default() })
}

/// A picture of the graph, with its texts as text.
pub(super) fn svg(graph: &WorkflowGraph) -> String {
    let (places, all) = places(graph);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\">\n\
         <title>{2}</title>\n{STYLE}\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        all.width,
        all.height,
        escape(&graph.name),
    );
    // Writing to a `String` cannot fail.
    for found in &graph.boxes {
        let Some(Place { x, y, width, height }) = places.get(found.id.as_str()).copied() else { continue };
        let (class, round) = match found.kind {
            BoxKind::Node => (" class=\"in\"", 4),
            BoxKind::Stage => ("", 6),
            BoxKind::Start | BoxKind::End => ("", height / 2),
        };
        let _ = writeln!(
            text,
            "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\"/>"
        );
        for (n, line) in std::iter::once(&found.label).chain(&found.notes).enumerate() {
            let (middle, y) = (x + width / 2, y + (n + 1) * LINE);
            let class = if n == 0 { "" } else { " class=\"n\"" };
            let line = escape(line);
            let _ =
                writeln!(text, "<text{class} x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{line}</text>");
        }
    }
    let mut used = HashMap::<&str, usize>::new();
    for line in &graph.lines {
        let (Some(from), Some(to)) = (places.get(line.from.as_str()), places.get(line.to.as_str())) else {
            continue;
        };
        let stage = line.stage();
        let around = places.get(stage).filter(|_| is_long(line, &places)).map(|stage_place| {
            let lane = used.entry(stage).or_default();
            *lane += LANE;
            stage_place.right().saturating_sub(*lane)
        });
        text.push_str(&drawn(line, *from, *to, around));
    }
    text.push_str("</svg>\n");
    text
}

/// A line: straight down to what follows, and around on the right to the stage itself and to earlier ones. `around` is
/// where it passes other nodes.
fn drawn(line: &GraphLine, from: Place, to: Place, around: Option<usize>) -> String {
    let class = if is_dashed(line.kind) { " class=\"d\"" } else { "" };
    let (x, y) = (from.right(), from.y + from.height / 2);
    let (to_x, to_y) =
        (to.right(), to.y + if line.kind == LineKind::Loop { LINE } else { to.height - PADDING });
    let way = match (line.kind, around) {
        (LineKind::Failure | LineKind::Loop, _) => {
            let aside = x.max(to_x) + if line.kind == LineKind::Loop { 2 * GAP } else { GAP };
            format!("M{x} {y}C{aside} {y} {aside} {to_y} {to_x} {to_y}")
        }
        (_, Some(aside)) => {
            let (down, up) = (from.bottom() + GAP / 3, to.y - GAP / 3);
            format!("M{} {}V{down}H{aside}V{up}H{}V{}", from.middle(), from.bottom(), to.middle(), to.y)
        }
        (_, None) => format!("M{} {}L{} {}", from.middle(), from.bottom(), to.middle(), to.y),
    };
    let mut text = format!("<path{class} d=\"{way}\" marker-end=\"url(#a)\"/>\n");
    if let Some(label) = &line.label {
        let (x, y) = (x.max(to_x) + 2 * GAP, y.midpoint(to_y));
        let _ = writeln!(text, "<text class=\"n\" x=\"{x}\" y=\"{y}\">{}</text>", escape(label));
    }
    text
}

/// A text of a definition in XML, which allows no control characters at all.
fn escape(text: &str) -> String {
    let text = harmless(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = text.replace('"', "&quot;");
    // The two that are characters and not allowed in XML.
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

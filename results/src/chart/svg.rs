//! SVG as text: elements, attributes, and the one place where text is escaped.

use std::fmt::Write as _;

use super::WIDTH;

/// A picture being drawn.
#[derive(Debug)]
pub(super) struct Svg {
    text: String,
}

/// Which end of a text its place names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    /// Left edge.
    pub(super) x: f64,
    /// Upper edge.
    pub(super) y: f64,
    /// Width; drawn at least a hair wide.
    pub(super) width: f64,
    /// Height.
    pub(super) height: f64,
}

impl Svg {
    /// A picture [`WIDTH`] wide; `described` is what a screen reader says of it.
    pub(super) fn new(height: f64, described: &str) -> Svg {
        let mut text = String::new();
        let label = escape(described);
        write!(
            text,
            r#"<svg viewBox="0 0 {} {}" role="img" aria-label="{label}">"#,
            n(WIDTH),
            n(height)
        )
        .expect(IN_MEMORY);
        Svg { text }
    }

    /// The finished picture.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }

    /// A line between two points.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (n(from.0), n(from.1), n(to.0), n(to.1));
        write!(self.text, r#"<path class="{class}" d="M{x1} {y1}L{x2} {y2}"/>"#).expect(IN_MEMORY);
    }

    /// A path given in SVG's own letters.
    pub(super) fn path(&mut self, class: &str, d: &str) {
        write!(self.text, r#"<path class="{class}" d="{d}"/>"#).expect(IN_MEMORY);
    }

    /// A rectangle; `title` is what hovering over it says.
    pub(super) fn rect(&mut self, class: &str, rect: Rect, title: Option<&str>) {
        let Rect { x, y, width, height } = rect;
        let (x, y, width, height) = (n(x), n(y), n(width.max(0.1)), n(height));
        write!(
            self.text,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}""#
        )
        .expect(IN_MEMORY);
        match title {
            Some(title) => write!(self.text, "><title>{}</title></rect>", escape(title)),
            None => write!(self.text, "/>"),
        }
        .expect(IN_MEMORY);
    }

    /// A word or two.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, words: &str) {
        let (x, y, words) = (n(at.0), n(at.1), escape(words));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        write!(self.text, r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{words}</text>"#)
            .expect(IN_MEMORY);
    }
}

const IN_MEMORY: &str = "writing to a string cannot fail";

/// The letters of a line through `points`.
pub(super) fn polyline(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let letter = if at == 0 { 'M' } else { 'L' };
        write!(d, "{letter}{} {}", n(*x), n(*y)).expect(IN_MEMORY);
    }
    d
}

/// A coordinate to a tenth: less than an eye can see, and short.
fn n(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{}", rounded + 0.0)
}

/// `text` as content or attribute of an element: nothing a run wrote may end either. Characters
/// that XML has no way to write are shown as a replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            control if control.is_control() => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_run_wrote_can_end_an_element() {
        let hostile = "</text><script>alert(\"1\")</script>'\u{0}";
        let mut svg = Svg::new(10.0, hostile);
        svg.text("label", (0.0, 0.0), Anchor::Start, hostile);
        svg.rect("bar", Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 }, Some(hostile));
        let drawn = svg.finish();
        assert!(!drawn.contains("<script"), "{drawn}");
        assert_eq!(drawn.matches("&lt;script&gt;alert(&quot;1&quot;)").count(), 3, "{drawn}");
        assert!(!drawn.contains('\u{0}'));
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(polyline(&[(0.0, -0.01), (1.25, 3.0), (2.04, 9.99)]), "M0 0L1.3 3L2 10");
    }
}

//! Shapes and text in pixels, on plotters' SVG backend.

use plotters::coord::Shift;
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon};
use plotters::prelude::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle};

use crate::palette::{Look, Mark};
use crate::style::{INK, MUTED, TEXT_SIZE, TITLE_SIZE, UNITS_PER_PIXEL, WIDTH};

/// A place, in pixels from the card's upper left corner.
pub(crate) type Point = (f64, f64);
/// What drawing answers.
pub(crate) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// Which point of a text stands at its place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    Title,
    Strong,
    Plain,
    Muted,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) color: RGBColor,
    /// In pixels.
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

impl Stroke {
    pub(crate) fn solid(color: RGBColor, width: f64) -> Stroke {
        Stroke { color, width, dashed: false }
    }

    /// The line of a server.
    pub(crate) fn of(look: &Look, width: f64) -> Stroke {
        Stroke { color: look.color, width, dashed: look.baseline }
    }
}

/// Plotters moves shapes that lie outside an area to its edge: high enough for any chart, in units.
const HIGHEST: u32 = 10_000_000;

/// What a chart is drawn on. It grows downwards: its height is settled when all is drawn.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Draws, and returns the document. `draw` returns the height that it took, in pixels; `title` and `description` are read
/// out to whom cannot see the chart.
pub(crate) fn document(
    title: &str,
    description: &str,
    draw: impl FnOnce(&Canvas) -> Drawn<f64>,
) -> Drawn<String> {
    let mut body = String::new();
    let height = {
        let area =
            SVGBackend::with_string(&mut body, (units(WIDTH).unsigned_abs(), HIGHEST)).into_drawing_area();
        let canvas = Canvas { area };
        let height = draw(&canvas)?;
        canvas.area.present()?;
        height
    };
    // The backend opens the document before the height is known: its first line is replaced.
    let shapes = body.split_once('\n').map_or("", |(_, rest)| rest);
    Ok(opening(title, description, height) + shapes)
}

fn opening(title: &str, description: &str, height: f64) -> String {
    let (wide, high) = (units(WIDTH), units(height));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {wide} {high}\" role=\"img\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n\
         <title>{}</title>\n<desc>{}</desc>\n\
         <rect x=\"5\" y=\"5\" width=\"{}\" height=\"{}\" rx=\"90\" \
         fill=\"#FFFFFF\" stroke=\"#D0D7DE\" stroke-width=\"10\"/>\n",
        escaped(title),
        escaped(description),
        wide - 10,
        high - 10,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn units(pixels: f64) -> i32 {
    (pixels * UNITS_PER_PIXEL).round() as i32
}

fn at((x, y): Point) -> (i32, i32) {
    (units(x), units(y))
}

impl Canvas<'_> {
    /// A line through points.
    pub(crate) fn line(&self, points: &[Point], stroke: Stroke) -> Drawn {
        let style = self.stroke(stroke);
        let points: Vec<_> = points.iter().copied().map(at).collect();
        if stroke.dashed {
            self.area.draw(&DashedPathElement::new(points, units(6.0), units(4.5), style))
        } else {
            self.area.draw(&PathElement::new(points, style))
        }
    }

    /// A filled shape.
    pub(crate) fn polygon(&self, corners: &[Point], color: RGBColor, opacity: f64) -> Drawn {
        let corners: Vec<_> = corners.iter().copied().map(at).collect();
        self.area.draw(&Polygon::new(corners, color.mix(opacity)))
    }

    /// A filled rectangle between two corners.
    pub(crate) fn rectangle(&self, (x0, y0): Point, (x1, y1): Point, color: RGBColor, opacity: f64) -> Drawn {
        self.polygon(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color, opacity)
    }

    /// A ring.
    pub(crate) fn ring(&self, center: Point, radius: f64, stroke: Stroke) -> Drawn {
        let style = self.stroke(stroke);
        self.area.draw(&Circle::new(at(center), units(radius), style))
    }

    /// A point in a server's shape and colour.
    pub(crate) fn mark(&self, (x, y): Point, look: &Look) -> Drawn {
        let corners = |offsets: &[Point]| offsets.iter().map(|(dx, dy)| (x + dx, y + dy)).collect::<Vec<_>>();
        let shape = match look.mark {
            Mark::Circle => {
                return self.area.draw(&Circle::new(at((x, y)), units(3.8), look.color.filled()));
            }
            Mark::Square => corners(&[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)]),
            Mark::Triangle => corners(&[(0.0, -4.8), (4.5, 3.2), (-4.5, 3.2)]),
            Mark::Diamond => corners(&[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)]),
        };
        self.polygon(&shape, look.color, 1.0)
    }

    /// A text whose middle height is at `y`.
    pub(crate) fn text(&self, text: &str, place: Point, anchor: Anchor, set: Type) -> Drawn {
        self.area.draw_text(text, &text_style(anchor, set, FontTransform::None), at(place))
    }

    /// A text that runs upwards, centred on its place.
    pub(crate) fn text_upwards(&self, text: &str, place: Point, set: Type) -> Drawn {
        self.area.draw_text(text, &text_style(Anchor::Middle, set, FontTransform::Rotate270), at(place))
    }

    fn stroke(&self, stroke: Stroke) -> ShapeStyle {
        ShapeStyle::from(stroke.color).stroke_width(units(stroke.width).unsigned_abs())
    }
}

fn text_style(anchor: Anchor, set: Type, turned: FontTransform) -> TextStyle<'static> {
    let (size, style, color) = match set {
        Type::Title => (TITLE_SIZE, FontStyle::Bold, INK),
        Type::Strong => (TEXT_SIZE, FontStyle::Bold, INK),
        Type::Plain => (TEXT_SIZE, FontStyle::Normal, INK),
        Type::Muted => (TEXT_SIZE, FontStyle::Normal, MUTED),
    };
    let horizontal = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    ("sans-serif", backend_size(size * UNITS_PER_PIXEL), style)
        .into_font()
        .transform(turned)
        .color(&color)
        .pos(Pos::new(horizontal, VPos::Center))
}

/// The size from which the backend makes `size`: it divides by 1.24, and would print a long fraction where that is inexact.
fn backend_size(size: f64) -> f64 {
    let near = size * 1.24;
    [near, near.next_up(), near.next_down()].into_iter().find(|tried| tried / 1.24 == size).unwrap_or(near)
}

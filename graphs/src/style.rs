//! The look that every chart shares.
//!
//! A chart brings its own light card. `prefers-color-scheme` inside an SVG follows the system's setting, not the theme
//! that a reader chose on the page around it, so only a card of its own is legible on every page.

use plotters::style::RGBColor;

/// Width of a chart, in pixels as an image in a README shows them.
pub(crate) const WIDTH: f64 = 860.0;
/// Between the card's edge and what is drawn on it.
pub(crate) const MARGIN: f64 = 24.0;
/// Plotters draws on whole units: so many to a pixel keep curves smooth.
pub(crate) const UNITS_PER_PIXEL: f64 = 10.0;

/// Title.
pub(crate) const TITLE_SIZE: f64 = 18.0;
/// Everything else.
pub(crate) const TEXT_SIZE: f64 = 13.0;

/// Text that carries meaning.
pub(crate) const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
/// Text that explains; 5.6:1 on the card.
pub(crate) const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6E);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xE4, 0xE8, 0xEC);
/// The line on which a panel stands.
pub(crate) const AXIS: RGBColor = RGBColor(0xA8, 0xB0, 0xB8);
/// The server that others are compared with.
pub(crate) const BASELINE: RGBColor = RGBColor(0x7A, 0x82, 0x8B);

/// Okabe and Ito's palette, without the yellow, which is illegible on a light card, and the black, which text wears. The two
/// palest come last.
pub(crate) const PALETTE: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
];

/// About how wide a text is, in pixels. The reader's sans-serif is unknown, so letters count as in a wide one (DejaVu Sans):
/// what fits there fits everywhere.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

fn em(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | ' ' | '·' => 0.33,
        'f' | 'r' | 't' | '(' | ')' | '/' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '×' | '+' => 0.95,
        'A'..='Z' => 0.72,
        _ => 0.63,
    }
}

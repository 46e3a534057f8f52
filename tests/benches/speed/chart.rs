//! The chart: for each workload, how many times as good as the base everybody is.

use std::path::Path;

use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::{DrawingArea, DrawingBackend, IntoDrawingArea as _, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, TextStyle, WHITE};

use crate::plan::{CHART_TITLE, Workload};
use crate::speed::Failure;
use crate::speed::contender::Contender;
use crate::speed::summary::Measured;

/// Colours that people with any sight can tell apart, one a contender.
const COLOURS: [RGBColor; 7] = [
    RGBColor(213, 94, 0),
    RGBColor(90, 90, 90),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(200, 200, 200);

const WIDTH: i32 = 900;
/// Where the bars begin and how long the longest can be.
const LEFT: i32 = 250;
const LONGEST: i32 = 590;
const TOP: i32 = 90;
const BAR: i32 = 13;
const GAP: i32 = 14;

/// One bar: whose it is, and how long.
type Bar = (usize, f64);

pub(crate) fn draw(measured: &Measured, path: &Path) -> Result<(), Failure> {
    let groups: Vec<_> = measured
        .workloads()
        .into_iter()
        .map(|workload| (workload, bars(measured, workload)))
        .collect();
    let lines: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    let height = TOP + lines as i32 * BAR + groups.len() as i32 * GAP + 20;
    let longest = groups.iter().flat_map(|(_, bars)| bars);
    let longest = longest.map(|(_, ratio)| *ratio).fold(1.0, f64::max);
    let chart = Chart {
        area: SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area(),
        scale: f64::from(LONGEST) / longest,
        bottom: height - 20,
    };
    chart.area.fill(&WHITE)?;
    chart.head(measured.contenders())?;
    chart.grid(longest)?;
    let mut y = TOP;
    for (workload, bars) in groups {
        chart.group(workload, &bars, y)?;
        y += bars.len() as i32 * BAR + GAP;
    }
    Ok(chart.area.present()?)
}

/// The bars of a workload, by its main figure.
fn bars(measured: &Measured, workload: Workload) -> Vec<Bar> {
    let figure = workload.figures()[0];
    let contenders = measured.contenders().iter().enumerate();
    contenders
        .filter_map(|(place, it)| Some((place, measured.ratio(workload, figure, *it)?)))
        .collect()
}

struct Chart<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    /// Pixels of a ratio of 1.
    scale: f64,
    bottom: i32,
}

type Drawn<'a> = Result<
    (),
    plotters::drawing::DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>,
>;

impl<'a> Chart<'a> {
    fn text(&self, text: &str, at: (i32, i32), size: i32, side: HPos) -> Drawn<'a> {
        let style = TextStyle::from(("sans-serif", size).into_font())
            .color(&INK)
            .pos(Pos::new(side, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), at, style))
    }

    fn head(&self, contenders: &[Contender]) -> Drawn<'a> {
        self.text(CHART_TITLE, (20, 24), 18, HPos::Left)?;
        for (place, contender) in contenders.iter().enumerate() {
            let x = 20 + place as i32 * 122;
            let box_of = Rectangle::new([(x, 46), (x + 10, 56)], colour(place));
            self.area.draw(&box_of)?;
            self.text(&contender.label(), (x + 15, 51), 13, HPos::Left)?;
        }
        Ok(())
    }

    /// A line at each half.
    fn grid(&self, longest: f64) -> Drawn<'a> {
        for half in 0..=(longest * 2.0) as i32 {
            let ratio = f64::from(half) / 2.0;
            let x = self.x(ratio);
            let colour = if half == 2 { INK } else { PALE };
            let line = PathElement::new([(x, TOP - 6), (x, self.bottom)], colour.stroke_width(1));
            self.area.draw(&line)?;
            self.text(&format!("{ratio:.1}"), (x, TOP - 14), 12, HPos::Center)?;
        }
        Ok(())
    }

    fn group(&self, workload: Workload, bars: &[Bar], top: i32) -> Drawn<'a> {
        let middle = top + bars.len() as i32 * BAR / 2;
        let title = workload.title();
        self.text(title, (LEFT - 12, middle - 8), 14, HPos::Right)?;
        let judged = workload.figures()[0].title;
        self.text(judged, (LEFT - 12, middle + 8), 11, HPos::Right)?;
        for (line, (place, ratio)) in bars.iter().enumerate() {
            let y = top + line as i32 * BAR;
            let end = self.x(*ratio);
            let bar = Rectangle::new([(LEFT, y + 1), (end, y + BAR - 1)], colour(*place));
            self.area.draw(&bar)?;
            let value = format!("{ratio:.2}");
            self.text(&value, (end + 5, y + BAR / 2), 11, HPos::Left)?;
        }
        Ok(())
    }

    fn x(&self, ratio: f64) -> i32 {
        LEFT + (ratio * self.scale).round() as i32
    }
}

fn colour(place: usize) -> ShapeStyle {
    COLOURS[place % COLOURS.len()].filled()
}

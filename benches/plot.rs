//! Plots of what grew, as SVG. Colours are of middle lightness on no ground, so that they read on white and on black.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use crate::{
    Fallible,
    finding::Finding,
    measures::growth::{LATENCY, MEMORY, RATE},
};

const SIZE: (u32, u32) = (900, 260);
const TEXT: RGBColor = RGBColor(128, 128, 128);
const LINE: RGBColor = RGBColor(34, 139, 196);

/// Draws a table whose rows are sizes, one panel for each column.
pub(crate) fn draw(finding: &Finding, by: &str, file: &Path) -> Fallible<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    for (panel, (column, name)) in
        root.split_evenly((1, 3)).iter().zip([LATENCY, RATE, MEMORY].iter().enumerate())
    {
        let points: Vec<(f64, f64)> = finding
            .rows
            .iter()
            .filter_map(|row| Some((row.name.parse().ok()?, row.values.get(column).copied().flatten()?)))
            .collect();
        panel_of(panel, &points, name, by).map_err(|error| error.to_string())?;
    }
    root.present().map_err(|error| error.to_string().into())
}

fn panel_of<DB: DrawingBackend>(
    panel: &DrawingArea<DB, plotters::coord::Shift>,
    points: &[(f64, f64)],
    name: &str,
    by: &str,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    DB::ErrorType: 'static,
{
    let far = points.iter().map(|point| point.0).fold(1.0, f64::max);
    let high = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let style = |size: i32| TextStyle::from(("sans-serif", size).into_font()).color(&TEXT);
    let mut chart = ChartBuilder::on(panel)
        .margin(10)
        .caption(name, style(15))
        .x_label_area_size(36)
        .y_label_area_size(52)
        // From nothing, so that a slope is not made to look steeper than it is.
        .build_cartesian_2d(0.0..far * 1.02, 0.0..high * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(TEXT.mix(0.3))
        .axis_style(TEXT)
        .label_style(style(12))
        .x_desc(by)
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), LINE.stroke_width(2)))?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, LINE.filled())))?;
    Ok(())
}

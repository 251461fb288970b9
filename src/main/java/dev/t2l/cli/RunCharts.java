package dev.t2l.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.experiment.Picture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Three charts, one above the other, as one picture: loss, learning rate, gradient norm. */
final class RunCharts {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 320;

    private RunCharts() {
    }

    /** Points of one quantity. */
    record Series(List<Double> steps, List<Double> values) {
        static Series of(List<JsonNode> lines, String field) {
            var series = new Series(new ArrayList<>(), new ArrayList<>());
            for (JsonNode line : lines) {
                if (line.path(field).isNumber() && line.path("step").isNumber()) {
                    series.steps.add(line.get("step").doubleValue());
                    series.values.add(line.get(field).doubleValue());
                }
            }
            return series;
        }
    }

    /** What is drawn of a run. */
    record Run(Series loss, Series validation, Series rate, Series norm) {
        static Run of(List<JsonNode> lines) {
            return new Run(Series.of(lines, "loss"), Series.of(lines, "validation_loss"), Series.of(lines, "rate"), Series.of(lines, "gradient_norm"));
        }
    }

    /**
     * Draws without a display.
     *
     * @param file a .png file, else SVG is written
     * @throws IllegalArgumentException if there is nothing to draw
     */
    static void draw(Map<String, Run> runs, Path file) throws IOException {
        if (runs.values().stream().allMatch(run -> run.loss().steps().isEmpty())) {
            throw new IllegalArgumentException("there is no step in the metrics");
        }
        System.setProperty("java.awt.headless", "true"); // charts measure text as they are made
        XYChart loss = chart("loss");
        XYChart rate = chart("learning rate");
        XYChart norm = chart("gradient norm");
        runs.forEach((name, run) -> {
            add(loss, name, run.loss());
            add(loss, name + ", validation", run.validation());
            add(rate, name, run.rate());
            add(norm, name, run.norm());
        });
        new Picture(List.of(loss, rate, norm), 1).write(file);
    }

    private static XYChart chart(String what) {
        XYChart chart = new XYChartBuilder().width(WIDTH).height(HEIGHT).title(what).xAxisTitle("step").build();
        chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Line);
        return chart;
    }

    private static void add(XYChart chart, String name, Series series) {
        if (!series.steps().isEmpty()) {
            chart.addSeries(name, series.steps(), series.values()).setMarker(SeriesMarkers.NONE);
        }
    }
}

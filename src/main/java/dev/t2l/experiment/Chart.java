package dev.t2l.experiment;

import java.awt.Color;
import java.util.List;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.IChart;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Something to be drawn. */
public sealed interface Chart {
    String title();

    IChart drawn(int width, int height);

    /** Whether points are joined. */
    enum Style { LINES, POINTS }

    /**
     * Points of one name.
     *
     * @param errors half the length of each one's error bar; empty: there is none
     */
    record Series(String name, List<Double> x, List<Double> y, List<Double> errors) {
        public Series(String name, List<Double> x, List<Double> y) {
            this(name, x, y, List.of());
        }
    }

    /** Points over two axes. */
    record Points(String title, String x, String y, Style style, List<Series> series) implements Chart {
        @Override
        public IChart drawn(int width, int height) {
            XYChart chart = new XYChartBuilder().width(width).height(height).title(title).xAxisTitle(x).yAxisTitle(y).build();
            chart.getStyler().setDefaultSeriesRenderStyle(style == Style.LINES ? XYSeries.XYSeriesRenderStyle.Line : XYSeries.XYSeriesRenderStyle.Scatter);
            chart.getStyler().setChartBackgroundColor(Color.WHITE).setLegendVisible(series.size() > 1);
            for (Series one : series) {
                if (one.errors().isEmpty()) {
                    chart.addSeries(one.name(), one.x(), one.y());
                } else {
                    chart.addSeries(one.name(), one.x(), one.y(), one.errors());
                }
            }
            return chart;
        }
    }

    /**
     * Points of one colour.
     *
     * @param known   x and y of those drawn as circles
     * @param unseen  of those drawn as crosses
     */
    record Cluster(String name, List<double[]> known, List<double[]> unseen) {
    }

    /** A plane whose axes mean nothing. */
    record Clusters(String title, List<Cluster> clusters) implements Chart {
        private static final int SIZE = 7;

        @Override
        public IChart drawn(int width, int height) {
            XYChart chart = new XYChartBuilder().width(width).height(height).title(title).build();
            chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter).setMarkerSize(SIZE);
            chart.getStyler().setAxisTicksVisible(false);
            Color[] colours = chart.getStyler().getSeriesColors();
            for (int i = 0; i < clusters.size(); i++) {
                Cluster cluster = clusters.get(i);
                Color colour = colours[i % colours.length];
                add(chart, cluster.name(), cluster.known(), SeriesMarkers.CIRCLE, colour);
                add(chart, cluster.name() + ", unseen", cluster.unseen(), SeriesMarkers.CROSS, colour);
            }
            return chart;
        }

        private static void add(XYChart chart, String name, List<double[]> points, Marker marker, Color colour) {
            if (!points.isEmpty()) {
                chart.addSeries(name, points.stream().mapToDouble(p -> p[0]).toArray(), points.stream().mapToDouble(p -> p[1]).toArray()).setMarker(marker).setMarkerColor(colour);
            }
        }
    }

    /** Values of a name, one a category. */
    record Group(String name, List<Double> values) {
    }

    /** Bars beside each other in each category. */
    record Bars(String title, String y, List<String> categories, List<Group> groups) implements Chart {
        @Override
        public IChart drawn(int width, int height) {
            CategoryChart chart = new CategoryChartBuilder().width(width).height(height).title(title).yAxisTitle(y).build();
            chart.getStyler().setXAxisLabelRotation(categories.size() > 6 ? 45 : 0);
            chart.getStyler().setChartBackgroundColor(Color.WHITE).setLegendVisible(groups.size() > 1);
            groups.forEach(group -> chart.addSeries(group.name(), categories, group.values()));
            return chart;
        }
    }
}

package dev.t2l.experiment;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.awt.BasicStroke;
import java.awt.Color;
import java.util.List;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.IChart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Something to be drawn. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({@JsonSubTypes.Type(value = Chart.Points.class, name = "points"), @JsonSubTypes.Type(value = Chart.Clusters.class, name = "clusters"),
    @JsonSubTypes.Type(value = Chart.Bars.class, name = "bars")})
public sealed interface Chart {
    String title();

    IChart drawn(int width, int height);

    /** White, with grid lines in one piece: SVG would have each dash of theirs as a shape. */
    private static AxesChartStyler plain(AxesChartStyler styler) {
        styler.setPlotGridLinesStroke(new BasicStroke(0.5f)).setChartBackgroundColor(Color.WHITE);
        return styler;
    }

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
        private static final int MARKED = 20; // a line of more points is drawn without marks

        @Override
        public IChart drawn(int width, int height) {
            XYChart chart = new XYChartBuilder().width(width).height(height).title(title).xAxisTitle(x).yAxisTitle(y).build();
            chart.getStyler().setDefaultSeriesRenderStyle(style == Style.LINES ? XYSeries.XYSeriesRenderStyle.Line : XYSeries.XYSeriesRenderStyle.Scatter);
            plain(chart.getStyler()).setLegendVisible(series.size() > 1);
            for (Series one : series) {
                XYSeries drawn = one.errors().isEmpty() ? chart.addSeries(one.name(), one.x(), one.y()) : chart.addSeries(one.name(), one.x(), one.y(), one.errors());
                if (style == Style.LINES && one.x().size() > MARKED) {
                    drawn.setMarker(SeriesMarkers.NONE);
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
            plain(chart.getStyler()).setAxisTicksVisible(false);
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
            chart.getStyler().setXAxisLabelRotation(categories.size() > 12 ? 90 : categories.size() > 6 ? 45 : 0).setXAxisTickMarkSpacingHint(1);
            plain(chart.getStyler()).setLegendVisible(groups.size() > 1);
            groups.forEach(group -> chart.addSeries(group.name(), categories, group.values()));
            return chart;
        }
    }
}

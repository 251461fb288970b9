package dev.t2l.experiment;

import java.awt.Color;
import java.util.List;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.IChart;

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

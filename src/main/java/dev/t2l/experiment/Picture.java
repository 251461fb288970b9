package dev.t2l.experiment;

import dev.t2l.io.AtomicFile;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.internal.chartpart.IChart;

/**
 * Charts of one size as one picture, row by row.
 *
 * @param across charts in a row
 */
public record Picture(List<? extends IChart> charts, int across) {
    private static final Pattern FRACTION = Pattern.compile("-?\\d+\\.(?:\\d{2,}|\\d+E-?\\d+)");

    /**
     * Draws without a display.
     *
     * @param file a .png file, else SVG is written
     */
    public void write(Path file) throws IOException {
        System.setProperty("java.awt.headless", "true");
        var grid = new Grid(charts, across);
        var bytes = new ByteArrayOutputStream();
        if (file.toString().endsWith(".png")) {
            var image = new BufferedImage(grid.getWidth(), grid.getHeight(), BufferedImage.TYPE_INT_RGB);
            Graphics2D graphics = image.createGraphics();
            grid.paint(graphics, grid.getWidth(), grid.getHeight());
            graphics.dispose();
            ImageIO.write(image, "png", bytes);
        } else {
            VectorGraphicsEncoder.saveVectorGraphic(grid, bytes, VectorGraphicsEncoder.VectorGraphicsFormat.SVG);
            byte[] small = rounded(bytes.toString(StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
            bytes.reset();
            bytes.write(small);
        }
        AtomicFile.write(file, bytes.toByteArray());
    }

    /** To a tenth of a pixel, without indents: text is outlines, and would be several times as long. */
    private static String rounded(String svg) {
        return FRACTION.matcher(svg.replaceAll(">\\s+<", "><")).replaceAll(number -> BigDecimal.valueOf(Double.parseDouble(number.group()))
                .setScale(1, RoundingMode.HALF_EVEN).stripTrailingZeros().toPlainString());
    }

    private record Grid(List<? extends IChart> charts, int across) implements IChart {
        @Override
        public void paint(Graphics2D graphics, int width, int height) {
            int w = charts.getFirst().getWidth();
            int h = charts.getFirst().getHeight();
            for (int i = 0; i < charts.size(); i++) {
                Graphics2D part = (Graphics2D) graphics.create();
                part.translate(i % across * w, i / across * h);
                charts.get(i).paint(part, w, h);
                part.dispose();
            }
        }

        @Override
        public int getWidth() {
            return charts.getFirst().getWidth() * Math.min(across, charts.size());
        }

        @Override
        public int getHeight() {
            return charts.getFirst().getHeight() * Math.ceilDiv(charts.size(), across);
        }

        @Override
        public String getTitle() {
            return "charts";
        }
    }
}

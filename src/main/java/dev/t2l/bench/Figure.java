package dev.t2l.bench;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.t2l.backend.Roofline;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What came out of one benchmark. Shares are of what the same machine reached in the same run ({@link Roofline}); null where there is nothing
 * to compare.
 *
 * @param bench        its name
 * @param shape        whose sizes the model has
 * @param weights      type of its matrices
 * @param settings     everything else that was asked for
 * @param medianMillis of a run
 * @param n            runs
 * @param rate         of {@code unit}, at the median
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({"bench", "shape", "weights"})
public record Figure(String bench, String shape, String weights, @JsonAnyGetter Map<String, Object> settings, double medianMillis, double p99Millis, int n,
        double rate, String unit, Double gigabytesPerSecond, Double shareOfBandwidth, Double teraflopsPerSecond, Double shareOfProduct) {

    /** Names and values in turn. */
    static Map<String, Object> settings(Object... namesAndValues) {
        Map<String, Object> settings = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            settings.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return settings;
    }

    /**
     * @param each runs of {@code unit} in one sample
     * @param work of a sample, or null
     */
    static Figure of(String bench, String shape, String weights, Map<String, Object> settings, Samples samples, double each, String unit, Work work, Roofline roof) {
        double seconds = samples.median() * 1e-3;
        Double bytes = work == null ? null : work.bytes() / seconds;
        Double flops = work == null ? null : work.flops() / seconds;
        return new Figure(bench, shape, weights, settings, samples.median(), samples.p99(), samples.count(), each / seconds, unit,
                bytes == null ? null : bytes * 1e-9, bytes == null ? null : bytes / roof.bytesPerSecond(),
                flops == null ? null : flops * 1e-12, flops == null || roof.flopsPerSecond().isEmpty() ? null : flops / roof.flopsPerSecond().getAsDouble());
    }
}

package dev.t2l.train;

import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.SampleSource.Held;
import dev.t2l.train.TaskSampler.Draw;
import java.util.List;
import java.util.Map;

/**
 * A sample's own prompt, encoded as descriptions are, when its step comes: {@code use_inp_as_desc} of the published code. Closes the encoder.
 */
final class InputEmbeddings implements SampleEmbeddings {
    /** Texts that an encoder reads in one pass. */
    static final int AT_ONCE = 32;

    private final TextEncoder encoder;

    /** @throws IllegalArgumentException if a task has an example without a prompt */
    InputEmbeddings(TextEncoder encoder, List<TokenisedTask> tasks) {
        this.encoder = encoder;
        for (TokenisedTask task : tasks) {
            if (task.examples().stream().anyMatch(InputEmbeddings::blank) || task.heldOut().stream().anyMatch(InputEmbeddings::blank)) {
                throw new IllegalArgumentException("the task '" + task.name() + "' has an example without a prompt, of which no adapter can be made; HINT: condition: description");
            }
        }
    }

    private static boolean blank(Tokens sample) {
        return sample.prompt().isBlank();
    }

    @Override
    public int width() {
        return encoder.width();
    }

    @Override
    public int choices(int task) {
        return 1;
    }

    @Override
    public void ofDraws(Backend backend, Tensor out, List<Draw> draws, List<Tokens> samples) {
        encode(out, samples);
    }

    @Override
    public void ofHeldOut(Backend backend, Tensor out, List<Held> samples) {
        encode(out, samples.stream().map(Held::tokens).toList());
    }

    private void encode(Tensor out, List<Tokens> samples) {
        for (int from = 0; from < samples.size(); from += AT_ONCE) {
            List<Tokens> some = samples.subList(from, Math.min(samples.size(), from + AT_ONCE));
            encoder.taskEmbeddings(some.stream().map(Tokens::prompt).toList(), out.slice(from, from + some.size()));
        }
    }

    @Override
    public Map<String, Tensor> kept(List<TrainingTask> tasks) {
        return Map.of();
    }

    @Override
    public void close() {
        encoder.close();
    }
}

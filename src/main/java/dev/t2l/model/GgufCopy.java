package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.model.GgufModel.Part;
import dev.t2l.model.GgufModel.Use;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A model's GGUF file written again, with other types or with adapters added: metadata, names and order stay. */
final class GgufCopy {
    private static final Pattern PROJECTION = Pattern.compile("blk\\.(\\d{1,6})\\.(\\w+)\\.weight");
    private static final List<String> TABLES = List.of("position_embd.weight", "token_types.weight");

    private GgufCopy() {
    }

    static GgufModel open(Path path, AdapterSum sum) {
        Gguf file = Gguf.open(path);
        try {
            String architecture = file.string("general.architecture");
            if (!file.string("general.type", "model").equals("model")) {
                throw file.problem("general.type", "wanted a model, found '" + file.string("general.type") + "'");
            }
            if (file.integer("split.count", 1) > 1) {
                throw file.problem("split.count", "a model in several files is not supported; HINT: llama-gguf-split --merge makes one of them");
            }
            if (architecture.equals("bert") && sum.adapters().isEmpty()) {
                GgufBert.config(file);
                return new GgufModel(new LinkedHashMap<>(file.values()), parts(file, sum, null), file::close);
            }
            Backend host = Backend.open("java");
            DecoderConfig config = GgufDecoder.config(file);
            var decoder = new Decoder(host, config, GgufDecoder.names(architecture).read(path, file.weights(), config, host.placement()));
            sum.requireFits(config);
            return new GgufModel(new LinkedHashMap<>(file.values()), parts(file, sum, decoder), file::close);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static List<Part> parts(Gguf file, AdapterSum sum, Decoder decoder) {
        List<Part> parts = new ArrayList<>();
        String output = decoder == null ? "" : decoder.config().tied() ? "token_embd.weight" : "output.weight";
        for (Map.Entry<String, Tensor> e : file.weights().tensors().entrySet()) {
            String name = e.getKey();
            Tensor tensor = e.getValue();
            Use use = TABLES.contains(name) ? Use.TABLE : tensor.rank() < 2 ? Use.PRECISE : name.equals(output) ? Use.OUTPUT : Use.MATRIX;
            Site site = site(name);
            if (site == null || !sum.touches(site)) {
                parts.add(Part.of(name, tensor, use));
            } else {
                int headDim = decoder.interleavedHeadDim(site.projection());
                parts.add(new Part(name, tensor.dtype(), tensor.shape(), use, true, arena -> sum.apply(arena, site, tensor, headDim)));
            }
        }
        return parts;
    }

    private static Site site(String name) {
        Matcher parts = PROJECTION.matcher(name);
        return parts.matches() ? Projection.byGgufName(parts.group(2)).map(p -> new Site(Integer.parseInt(parts.group(1)), p)).orElse(null) : null;
    }
}

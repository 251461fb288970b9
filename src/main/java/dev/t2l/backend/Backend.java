package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The list of kernels, and memory.
 *
 * <p>Every kernel writes into tensors that its caller allocated, takes activations in f32 and weights in any type of
 * {@link dev.t2l.tensor.DType} that holds float values, and has its shapes checked by the operation of {@code dev.t2l.ops} that
 * calls it. A result row depends on its own inputs alone: not on its place in the batch, nor on the other rows. The same call
 * twice gives the same bits.
 *
 * <p>Fused kernels are {@code default} methods that compose the plain ones; a backend overrides those it does faster.
 * All methods may be called from several threads at once, on tensors that do not overlap.
 */
public interface Backend extends AutoCloseable {

    /** Opens the best backend this machine has: CUDA, else native CPU, else plain Java; or the one that {@code -Dt2l.backend} names. */
    static Backend best() {
        return Backends.best();
    }

    /**
     * Opens a backend by name: {@code cuda}, {@code cpu} or {@code java}.
     *
     * @throws BackendUnavailableException with the cause, if it cannot be had here
     */
    static Backend open(String name) {
        return Backends.open(name);
    }

    /** {@code cuda}, {@code cpu}, {@code java}. */
    String name();

    /** Name, instruction set or device, threads: {@code cpu (AVX2+FMA, 2 threads)}. */
    String description();

    /** What else there is to know of it, by name, for people: of a GPU its driver, its memory, whose products run. */
    default Map<String, String> details() {
        return Map.of();
    }

    /**
     * This backend with products made for few rows, as decoding has them. A position of a sequence is always computed by the same of the
     * two, whatever shares its batch, so the choice never shows in the bits. Owns nothing; need not be closed.
     */
    default Backend decoding() {
        return this;
    }

    /**
     * This backend with products made for many rows, as prefill and training have them: where weights are bf16, activations may be rounded to
     * bf16, too, as other frameworks run such models, and so may what attention multiplies ({@link AttentionSpec#half}). Otherwise as
     * {@link #decoding()}.
     */
    default Backend prefilling() {
        return this;
    }

    // Memory

    /** Zeroed memory, aligned to 64 bytes. */
    Memory allocate(long bytes);

    /** As {@link #allocate}, with undefined content: for what is written before it is read. */
    default Memory allocateUnwritten(long bytes) {
        return allocate(bytes);
    }

    /** Copies host bytes into {@code to}; {@code from} has {@code to.bytes()} bytes. */
    void upload(Tensor to, MemorySegment from);

    /** Copies {@code from} into host memory of {@code from.bytes()} bytes. */
    void download(MemorySegment to, Tensor from);

    /** Copies the bytes of a tensor into one of the same size, both in this backend's memory. */
    default void copy(Tensor to, Tensor from) {
        MemorySegment.copy(from.data(), 0, to.data(), 0, to.bytes());
    }

    /** Waits until the work that the calling thread handed over so far is done, in its {@link #lane} if it has one; on the host it always is. */
    default void await() {
    }

    /** The tensor where the host can read it: itself if it is there, else a copy in {@code arena}. */
    default Tensor host(Arena arena, Tensor tensor) {
        if (tensor.onHost()) {
            return tensor;
        }
        Tensor copy = Tensor.allocate(arena, tensor.dtype(), tensor.shape());
        download(copy.data(), tensor);
        return copy;
    }

    /** Room for the weights of one model, to be closed with it. */
    Placement placement();

    /** {@link Placement#place} for small tensors that may live as long as the backend. */
    Tensor place(Tensor host);

    /** The kernels of training. */
    Gradients gradients();

    /** Those of a frozen model in it, whose activations may be BF16. */
    default Mixed mixed() {
        return new WidenedMixed(this);
    }

    // Order of work

    /**
     * Gives the calling thread a queue of its own, until it closes the lane: its work waits for everything that was handed over before
     * (by threads without a lane, and in lanes that were closed), and runs beside what other threads hand over. A lane within a lane is
     * the outer one. Allocating and freeing are steps of the queue, too: memory, and what is in it, may be used in another queue once
     * the lane was closed or awaited, and freed once no other open lane has work on it. On the host a call is done when it returns, and
     * there is nothing to open.
     */
    default Lane lane() {
        return () -> { };
    }

    /**
     * Prepares work that will be handed over many times. It calls kernels and {@link #upload}s from {@link #pinned} memory, on the same
     * tensors every time; what these hold may change. It neither allocates nor downloads. A backend may run it once by itself
     * and replay what it saw, so the tensors' memory must outlive the recording.
     */
    default Recording record(Runnable work) {
        return new Recording() {
            @Override
            public void run() {
                work.run();
            }

            @Override
            public void close() {
            }
        };
    }

    /** Whether {@link #record} replays, so that work is worth rounding up to few shapes. */
    default boolean replays() {
        return false;
    }

    /**
     * Zeroed host memory that the device reads and writes, too: inputs and results of a {@link #record}ed pass. An {@link #upload} from it
     * is a step of the queue like a kernel: the host changes the source, and reads what a kernel wrote, only after {@link #await} or a
     * download.
     */
    default Memory pinned(long bytes) {
        return allocate(bytes);
    }

    // Sizes

    /** Rows of a pass of prefill that make good use of this backend; a longer prompt is read in several. */
    default int passRows() {
        return 256;
    }

    /** Bytes of the device's memory that are taken, by whomever; empty where memory is the host's. */
    default OptionalLong memoryInUse() {
        return OptionalLong.empty();
    }

    /** Bytes of memory that a model may keep for its next requests. */
    default long idleBytes() {
        return 1L << 30;
    }

    // Rows

    /** {@code out[i, column .. column+d) = scale * table[ids[i], :]}; out f32 [n, w], table any [V, d], ids i32 [n]. */
    void gather(Tensor out, long column, Tensor table, Tensor ids, float scale);

    /** {@code out[index[i], :] = x[i, :]}; out f32 [N, d], x f32 [n, d], index i32 [n] without repeats. */
    void scatter(Tensor out, Tensor x, Tensor index);

    /** {@code out[s, :] = mean of x[ranges[s,0] .. ranges[s,1], :]}; out f32 [S, d], x f32 [n, d], ranges i32 [S, 2]. */
    void meanRows(Tensor out, Tensor x, Tensor ranges);

    // Element-wise

    /** {@code y += alpha * x}, f32, same number of elements. */
    void add(Tensor y, Tensor x, float alpha);

    /** {@code out = f(x)}, f32; out may be x. */
    void activation(Tensor out, Tensor x, Activation f);

    /** {@code out = f(gate) * up}, f32; out may be gate or up. */
    void gated(Tensor out, Tensor gate, Tensor up, Activation f);

    /** {@code x = cap * tanh(x / cap)}, f32. */
    void softcap(Tensor x, float cap);

    // Norms, over the last dimension

    /** {@code out = x / sqrt(mean(x^2) + eps) * (weight + weightOffset)}; x f32 [n, d], weight any [d]; out may be x. */
    void rmsNorm(Tensor out, Tensor x, Tensor weight, float eps, float weightOffset);

    /** {@code out = (x - mean) / sqrt(var + eps) * weight + bias}, biased variance; x f32 [n, d]; out may be x. */
    void layerNorm(Tensor out, Tensor x, Tensor weight, Tensor bias, float eps);

    /** {@code x = layerNorm(x + branch)}; f32 [n, d] both. */
    default void addLayerNorm(Tensor x, Tensor branch, Tensor weight, Tensor bias, float eps) {
        add(x, branch, 1);
        layerNorm(x, x, weight, bias, eps);
    }

    /** {@code x[i, :] = x[i, :] / max(|x[i, :]|_2, 1e-12) * scale}, f32 [n, d]. */
    void l2Normalise(Tensor x, float scale);

    // Products

    /** {@code y = x @ w^T + bias}; y f32 [n, out], x f32 [n, in], w any [out, in], bias any [out] or null. */
    void linear(Tensor y, Tensor x, Tensor w, Tensor bias);

    /**
     * Adds to each row of y the adapters on its list, in the order of the list:
     * {@code y[i] += weight * scale * (x[i] @ A^T) @ B^T}; y f32 [n, out], x f32 [n, in].
     */
    void lora(Tensor y, Tensor x, LoraRows rows);

    /**
     * Has rows choose among the adapters of their lists, by what {@code rows.routing()} says: writes {@code rows.weights()}. A row that
     * chooses has {@code score_s = |prototype of its s-th adapter . x[i]|}; of the best {@code choices[i,0]} scores (the first of equals)
     * {@code weight_s = given[i,s] * softmax(score / choices[i,1])_s}, of the others 0. x f32 [n, in].
     */
    void route(Tensor x, LoraRows rows);

    /** {@link #linear} followed by {@link #lora}; {@code rows} may be null. */
    default void loraLinear(Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows) {
        linear(y, x, w, bias);
        if (rows != null) {
            lora(y, x, rows);
        }
    }

    /** All products of one input: {@link #loraLinear} of each. */
    default void products(Tensor x, List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            Product p = products.get(i);
            loraLinear(p.y(), x, p.w(), p.bias(), p.lora());
        }
    }

    /**
     * {@link #products} of {@code rmsNorm(x)}.
     *
     * @param h scratch of x's shape, undefined afterwards
     */
    default void normedProducts(Tensor h, Tensor x, Norm norm, List<Product> products) {
        rmsNorm(h, x, norm.weight(), norm.eps(), norm.weightOffset());
        products(h, products);
    }

    /**
     * {@code gate.y = f(gate product) * up product}, of {@code rmsNorm(x)}, or of x if norm is null.
     *
     * @param h scratch of x's shape, undefined afterwards; null if norm is; up.y is undefined afterwards, too
     */
    default void gatedProduct(Tensor h, Tensor x, Norm norm, Product gate, Product up, Activation f) {
        Tensor in = x;
        if (norm != null) {
            rmsNorm(h, x, norm.weight(), norm.eps(), norm.weightOffset());
            in = h;
        }
        loraLinear(gate.y(), in, gate.w(), gate.bias(), gate.lora());
        loraLinear(up.y(), in, up.w(), up.bias(), up.lora());
        gated(gate.y(), gate.y(), up.y(), f);
    }

    /** {@code x += product of in}; x f32 [n, out]; product.y is scratch, undefined afterwards. */
    default void addProduct(Tensor x, Tensor in, Product product) {
        loraLinear(product.y(), in, product.w(), product.bias(), product.lora());
        add(x, product.y(), 1);
    }

    /**
     * A gated MLP with its norm and residual: {@code x += down product of f(gate product) * up product}, the latter two of
     * {@code rmsNorm(x)}.
     *
     * @param h scratch of x's shape, undefined afterwards, as are gate.y, up.y and down.y, which may be h
     */
    default void gatedMlp(Tensor h, Tensor x, Norm norm, Product gate, Product up, Product down, Activation f) {
        gatedProduct(h, x, norm, gate, up, f);
        addProduct(x, gate.y(), down);
    }

    /** {@code y = f(x w^T + bias)}, plus {@code residual} (f32 of y's shape) unless that is null; y is neither x nor residual. */
    default void activatedLinear(Tensor y, Tensor x, Tensor w, Tensor bias, Activation f, Tensor residual) {
        linear(y, x, w, bias);
        activation(y, y, f);
        if (residual != null) {
            add(y, residual, 1);
        }
    }

    /**
     * The body of a hypernetwork: task embeddings into the first columns of x, unless {@code task} is null, then blocks one after the other. The
     * result is the last block's {@code down.y}.
     *
     * @param x f32 [n, d]; its first columns are undefined afterwards if there is a task, but the result itself if there are no blocks
     */
    default void hyperBody(Tensor x, TaskEncoder task, List<FeedForward> blocks) {
        if (task != null) {
            linear(task.linear().y(), task.embeddings(), task.linear().w(), task.linear().bias());
            layerNorm(task.normed(), task.linear().y(), task.norm().weight(), task.norm().bias(), task.norm().eps());
            gather(x, 0, task.normed(), task.taskOfRow(), 1);
        }
        Tensor in = x;
        for (FeedForward block : blocks) {
            Tensor normed = in;
            if (block.norm() != null) {
                normed = block.normed();
                layerNorm(normed, in, block.norm().weight(), block.norm().bias(), block.norm().eps());
            }
            activatedLinear(block.up().y(), normed, block.up().w(), block.up().bias(), Activation.SILU, null);
            activatedLinear(block.down().y(), block.up().y(), block.down().w(), block.down().bias(), Activation.SILU, block.residual() ? in : null);
            in = block.down().y();
        }
    }

    /**
     * One factor of generated adapters, out of a hypernetwork head's output: for every layer l, rank k and feature i,
     * {@code v = y[start + l*layerStride + k*rankStride + i]}, then {@code v = v * scale[e] + shift[e]}, where e is the element's
     * place in {@code out}; out f32 [layers, r, features], or [layers, features, r] if {@code source.transposed}. scale and shift
     * f32 of out's shape, or null.
     */
    void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift);

    /**
     * All heads of a hypernetwork: {@link #linear} of each, then {@link #loraFactor} for each of its cuts.
     *
     * @param scratch f32, room for the largest head's output
     */
    default void heads(List<Head> heads, Tensor scratch) {
        for (Head head : heads) {
            Tensor y = scratch.prefix(head.z().rows(), head.w().rows());
            linear(y, head.z(), head.w(), head.bias());
            for (Head.Cut cut : head.cuts()) {
                loraFactor(cut.out(), y, cut.source(), cut.scale(), cut.shift());
            }
        }
    }

    // Attention

    /**
     * {@code out[i, 0..h) = factor * cos(a), out[i, h..2h) = factor * sin(a), a = positions[i] * invFreq} (product in f32);
     * out f32 [n, 2h], positions i32 [n], invFreq f32 [h].
     */
    void ropeAngles(Tensor out, Tensor positions, Tensor invFreq, float factor);

    /**
     * Rotates every head of every row in place: pairs (j, j+h), or (2j, 2j+1) if {@code interleaved};
     * x f32 [n, heads * 2h], angles f32 [n, 2h].
     */
    void rope(Tensor x, Tensor angles, boolean interleaved);

    /**
     * {@link #rope} of q and k, then k and v into the cache: {@code keys[index[i], :] = k[i, :]}, and values as keys; k is undefined
     * afterwards. q f32 [n, heads * 2h], k, v f32 [n, kvHeads * 2h], keys, values f32 [N, kvHeads * 2h], index i32 [n] without repeats.
     */
    default void ropeStore(Tensor q, Tensor k, Tensor v, Tensor angles, boolean interleaved, Tensor keys, Tensor values, Tensor index) {
        rope(q, angles, interleaved);
        rope(k, angles, interleaved);
        scatter(keys, k, index);
        scatter(values, v, index);
    }

    /**
     * Row i attends to rows {@code [max(ranges[i,0], ranges[i,1] - spec.window), ranges[i,1])} of k and v:
     * {@code out = softmax(softcap(scale * q k^T)) v}, a head at a time, with grouped key heads, in f32 but for what {@code spec.half}
     * lets {@link #prefilling()} do;
     * q, out f32 [n, heads * headDim], k, v f32 [N, kvHeads * headDim], ranges i32 [n, 2], never empty.
     */
    void attention(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec);

    /**
     * The layers of an encoder, one after the other:
     * {@code x = attentionNorm(x + output product of attention)}, of x's query, key and value products, the first two after {@link #rope} if
     * there are angles; then {@code x = norm(x + down product of f(gate product) * up product)}, or of {@code f(up product)} without a gate.
     *
     * @param x f32 [n, H]
     */
    default void encoderLayers(Tensor x, List<EncoderLayer> layers, EncoderRows rows) {
        for (EncoderLayer layer : layers) {
            products(x, List.of(layer.query(), layer.key(), layer.value()));
            if (rows.angles() != null) {
                rope(layer.query().y(), rows.angles(), false);
                rope(layer.key().y(), rows.angles(), false);
            }
            attention(rows.context(), layer.query().y(), layer.key().y(), layer.value().y(), rows.ranges(), rows.heads());
            Tensor branch = layer.output().y();
            linear(branch, rows.context(), layer.output().w(), layer.output().bias());
            addLayerNorm(x, branch, layer.attentionNorm().weight(), layer.attentionNorm().bias(), layer.attentionNorm().eps());
            Product inner = layer.gate() == null ? layer.up() : layer.gate();
            if (layer.gate() == null) {
                activatedLinear(inner.y(), x, inner.w(), inner.bias(), rows.f(), null);
            } else {
                gatedProduct(null, x, null, inner, layer.up(), rows.f());
            }
            linear(layer.down().y(), inner.y(), layer.down().w(), layer.down().bias());
            addLayerNorm(x, layer.down().y(), layer.norm().weight(), layer.norm().bias(), layer.norm().eps());
        }
    }

    // Sampling

    /**
     * Chooses a token for every row of logits: the largest logit, the first of equals, where the temperature is 0; else the token at
     * which the running sum of kept probabilities, in the order of ids, passes {@code u} times their whole. Kept are, in this order of
     * filters: all of {@code softmax(logits / temperature)}; the topK likeliest (0: all); of these the fewest likeliest that reach topP
     * of their sum (1: all); of these, those of at least minP times the likeliest's probability. Equal logits: the lower id is likelier.
     *
     * @param tokens  i32 [m], on the backend or {@link #pinned}; -1 where a logit is NaN or the largest is infinite
     * @param logits  f32 [m, V]
     * @param choices f32 [m, 5]: temperature, topK, topP, minP, u in [0, 1)
     */
    void sample(Tensor tokens, Tensor logits, Tensor choices);

    @Override
    void close();
}

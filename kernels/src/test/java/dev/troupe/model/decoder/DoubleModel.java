package dev.troupe.model.decoder;

import static dev.troupe.model.DecoderTensors.layer;

import dev.troupe.kernel.Samples;
import dev.troupe.model.DecoderTensors;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The decoder in double precision, written straight from the formulas and sharing nothing with the shards but the rope
 * frequencies: what they are compared with where no golden exists. The input of a product with quantised weights is
 * rounded as NUMERICS rule 2 says, in the blocks of rule 3.
 */
final class DoubleModel {
    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final Map<String, double[][]> matrices = new HashMap<>();
    private final List<List<double[]>> keys = new ArrayList<>();
    private final List<List<double[]>> values = new ArrayList<>();
    private final double[] frequencies;
    private final double ropeMagnitude;
    private final Rounding rounding;

    /** How the input of a product with quantised weights is rounded. */
    enum Rounding {
        NONE,
        /** In blocks of 32 that begin at column 0. */
        WHOLE_BLOCKS,
        /** In blocks of 32 that end where a chunk does, as the rule says. */
        CUT_BLOCKS
    }

    DoubleModel(Checkpoint checkpoint) {
        this(checkpoint, Rounding.CUT_BLOCKS);
    }

    DoubleModel(Checkpoint checkpoint, Rounding rounding) {
        this.rounding = rounding;
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        for (int l = 0; l < config.layers(); l++) {
            keys.add(new ArrayList<>());
            values.add(new ArrayList<>());
        }
        this.frequencies = RopeTables.frequencies(config.rope(), config.headDim());
        this.ropeMagnitude = RopeTables.build(config.rope(), config.headDim(), 1, Arena.ofAuto())
                .cosines()
                .get(0, 0);
    }

    /** Logits {@code [ids][vocabulary]} after every token of a sequence that begins with the first. */
    double[][] logits(int[] ids) throws IOException {
        keys.forEach(List::clear);
        values.forEach(List::clear);
        double[][] logits = new double[ids.length][];
        for (int position = 0; position < ids.length; position++) {
            double[] x = matrix(DecoderTensors.EMBEDDING)[ids[position]].clone();
            for (int l = 0; l < config.layers(); l++) {
                add(x, attention(l, norm(x, layer(l, DecoderTensors.INPUT_NORM)), position));
                add(x, feedForward(l, norm(x, layer(l, DecoderTensors.POST_NORM))));
            }
            String head = config.tiedEmbeddings() ? DecoderTensors.EMBEDDING : DecoderTensors.HEAD;
            logits[position] = product(head, norm(x, DecoderTensors.FINAL_NORM), whole(config.hiddenSize()));
        }
        return logits;
    }

    private double[] attention(int l, double[] x, int position) throws IOException {
        double[] queries = heads(l, DecoderTensors.QUERY, DecoderTensors.QUERY_NORM, x, position);
        keys.get(l).add(heads(l, DecoderTensors.KEY, DecoderTensors.KEY_NORM, x, position));
        values.get(l).add(projection(l, DecoderTensors.VALUE, x, config.attentionBias()));
        int window = config.window(l);
        int first = window == 0 ? 0 : Math.max(0, position - window + 1);
        int d = config.headDim();
        double[] out = new double[config.heads() * d];
        for (int h = 0; h < config.heads(); h++) {
            int kv = h / config.headsPerGroup() * d;
            double[] p = new double[position + 1];
            double largest = Double.NEGATIVE_INFINITY;
            for (int t = first; t <= position; t++) {
                for (int i = 0; i < d; i++) {
                    p[t] += queries[h * d + i] * keys.get(l).get(t)[kv + i];
                }
                p[t] /= Math.sqrt(d);
                largest = Math.max(largest, p[t]);
            }
            double sum = 0;
            for (int t = first; t <= position; t++) {
                p[t] = Math.exp(p[t] - largest);
                sum += p[t];
            }
            for (int t = first; t <= position; t++) {
                for (int i = 0; i < d; i++) {
                    out[h * d + i] += p[t] / sum * values.get(l).get(t)[kv + i];
                }
            }
        }
        int[] chunks = attentionChunks();
        double[] y = product(layer(l, DecoderTensors.ATTENTION_OUT + ".weight"), out, chunks);
        return config.attentionOutputBias() ? add(y, vector(l, DecoderTensors.ATTENTION_OUT)) : y;
    }

    /** A projection to heads, each normalised (where the model does) and rotated. */
    private double[] heads(int l, String part, String headNorm, double[] x, int position) throws IOException {
        double[] y = projection(l, part, x, config.attentionBias());
        int d = config.headDim();
        for (int at = 0; at < y.length; at += d) {
            double[] head = Arrays.copyOfRange(y, at, at + d);
            if (config.headNorm()) {
                head = norm(head, layer(l, headNorm));
            }
            for (int i = 0; i < d / 2; i++) {
                double c = Math.cos(position * frequencies[i]) * ropeMagnitude;
                double s = Math.sin(position * frequencies[i]) * ropeMagnitude;
                y[at + i] = head[i] * c - head[d / 2 + i] * s;
                y[at + d / 2 + i] = head[d / 2 + i] * c + head[i] * s;
            }
        }
        return y;
    }

    private double[] feedForward(int l, double[] x) throws IOException {
        double[] gate = projection(l, DecoderTensors.GATE, x, config.feedForwardBias());
        double[] up = projection(l, DecoderTensors.UP, x, config.feedForwardBias());
        for (int i = 0; i < gate.length; i++) {
            gate[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
        }
        double[] y = product(layer(l, DecoderTensors.DOWN + ".weight"), gate, feedForwardChunks());
        return config.feedForwardBias() ? add(y, vector(l, DecoderTensors.DOWN)) : y;
    }

    private double[] projection(int l, String part, double[] x, boolean bias) throws IOException {
        double[] y = product(layer(l, part + ".weight"), x, whole(x.length));
        return bias ? add(y, vector(l, part)) : y;
    }

    private double[] vector(int l, String part) throws IOException {
        return matrix(layer(l, part + ".bias"))[0];
    }

    /** @param chunks bounds at which blocks of activations start anew */
    private double[] product(String name, double[] x, int[] chunks) throws IOException {
        DType type = Objects.requireNonNull(checkpoint.weights().require(name).type());
        double[] input = x;
        if (type.quantised() && rounding != Rounding.NONE) {
            input = rounded(x, rounding == Rounding.CUT_BLOCKS ? chunks : whole(x.length));
        }
        double[][] w = matrix(name);
        double[] y = new double[w.length];
        for (int r = 0; r < y.length; r++) {
            for (int k = 0; k < input.length; k++) {
                y[r] += w[r][k] * input[k];
            }
        }
        return y;
    }

    private static double[] rounded(double[] x, int[] chunks) {
        double[] y = new double[x.length];
        for (int c = 0; c + 1 < chunks.length; c++) {
            for (int from = chunks[c]; from < chunks[c + 1]; from += 32) {
                int to = Math.min(chunks[c + 1], from + 32);
                double largest = 0;
                for (int k = from; k < to; k++) {
                    largest = Math.max(largest, Math.abs(x[k]));
                }
                for (int k = from; k < to && largest > 0; k++) {
                    y[k] = Math.rint(x[k] / (largest / 127)) * (largest / 127);
                }
            }
        }
        return y;
    }

    private static int[] whole(int columns) {
        return new int[] {0, columns};
    }

    private int subChunks() {
        int perGroup = config.headsPerGroup();
        int u = 1;
        while (u < perGroup && (perGroup % u != 0 || config.kvHeads() * u < 8)) {
            u++;
        }
        return u;
    }

    private int[] attentionChunks() {
        int[] bounds = new int[config.kvHeads() * subChunks() + 1];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = i * (config.headsPerGroup() / subChunks()) * config.headDim();
        }
        return bounds;
    }

    private int[] feedForwardChunks() {
        int chunks = config.kvHeads() * subChunks();
        int blocks = (config.intermediateSize() + 31) / 32;
        int[] bounds = new int[chunks + 1];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = Math.min(config.intermediateSize(), i * blocks / chunks * 32);
        }
        return bounds;
    }

    private double[] norm(double[] x, String name) throws IOException {
        double[] w = matrix(name)[0];
        double squares = 0;
        for (double v : x) {
            squares += v * v;
        }
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = x[i] / Math.sqrt(squares / x.length + config.rmsNormEps()) * w[i];
        }
        return y;
    }

    private static double[] add(double[] x, double[] y) {
        for (int i = 0; i < x.length; i++) {
            x[i] += y[i];
        }
        return x;
    }

    /** All elements, a vector as one row. */
    private double[][] matrix(String name) throws IOException {
        double[][] known = matrices.get(name);
        if (known != null) {
            return known;
        }
        WeightTensor tensor = checkpoint.weights().require(name);
        MemorySegment bytes = checkpoint.weights().bytes(tensor, Arena.ofAuto());
        int columns = Math.toIntExact(tensor.shape().getLast());
        double[][] rows = new double[Math.toIntExact(tensor.rows())][columns];
        for (int r = 0; r < rows.length; r++) {
            MemorySegment row = bytes.asSlice(r * tensor.rowBytes(), tensor.rowBytes());
            for (int k = 0; k < columns; k++) {
                rows[r][k] = element(Objects.requireNonNull(tensor.type()), row, k);
            }
        }
        matrices.put(name, rows);
        return rows;
    }

    private static double element(DType type, MemorySegment row, int k) {
        return switch (type) {
            case F32 -> row.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * k);
            case BF16 -> Float.intBitsToFloat(row.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * k) << 16);
            case F16 -> Float.float16ToFloat(row.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * k));
            default -> {
                long columns = row.byteSize() / type.blockBytes() * type.blockSize();
                yield Samples.value(new Tensor(type, 1, (int) columns, row), 0, k);
            }
        };
    }
}

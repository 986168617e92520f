package dev.troupe.model.gguf;

import dev.troupe.weights.gguf.GgufBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** A model of one small layer as a GGUF file, of which keys and tensors can be changed. */
final class TinyGguf {
    private final Map<String, Object> keys = new LinkedHashMap<>();
    private final Map<String, long[]> tensors = new LinkedHashMap<>();

    /** Hidden size 8, 2 heads of 4 elements with 1 KV head, feed-forward 12, 5 tokens. */
    TinyGguf(String architecture) {
        keys.put("general.architecture", architecture);
        keys.put(architecture + ".context_length", 64);
        keys.put(architecture + ".embedding_length", 8);
        keys.put(architecture + ".block_count", 1);
        keys.put(architecture + ".feed_forward_length", 12);
        keys.put(architecture + ".attention.head_count", 2);
        keys.put(architecture + ".attention.head_count_kv", 1);
        keys.put(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
        keys.put("tokenizer.ggml.tokens", new String[] {"a", "b", "c", "<s>", "</s>"});
        keys.put("tokenizer.ggml.bos_token_id", 3);
        keys.put("tokenizer.ggml.eos_token_id", 4);
        tensors.put("token_embd.weight", new long[] {8, 5});
        tensors.put("output_norm.weight", new long[] {8});
        tensors.put("output.weight", new long[] {8, 5});
        tensors.put("blk.0.attn_norm.weight", new long[] {8});
        tensors.put("blk.0.attn_q.weight", new long[] {8, 8});
        tensors.put("blk.0.attn_k.weight", new long[] {8, 4});
        tensors.put("blk.0.attn_v.weight", new long[] {8, 4});
        tensors.put("blk.0.attn_output.weight", new long[] {8, 8});
        tensors.put("blk.0.ffn_norm.weight", new long[] {8});
        tensors.put("blk.0.ffn_gate.weight", new long[] {8, 12});
        tensors.put("blk.0.ffn_up.weight", new long[] {8, 12});
        tensors.put("blk.0.ffn_down.weight", new long[] {12, 8});
        if (architecture.equals("qwen3")) {
            tensors.put("blk.0.attn_q_norm.weight", new long[] {4});
            tensors.put("blk.0.attn_k_norm.weight", new long[] {4});
        }
    }

    /** @param value a text, an int, a float, a boolean, ints or texts */
    TinyGguf with(String key, Object value) {
        keys.put(key, value);
        return this;
    }

    TinyGguf without(String name) {
        keys.remove(name);
        tensors.remove(name);
        return this;
    }

    /** @param sizes innermost first */
    TinyGguf tensor(String name, long... sizes) {
        tensors.put(name, sizes);
        return this;
    }

    byte[] build() {
        GgufBuilder builder = new GgufBuilder();
        keys.forEach((key, value) -> {
            switch (value) {
                case String text -> builder.text(key, text);
                case Integer integer -> builder.uint32(key, integer);
                case Float number -> builder.float32(key, number);
                case Boolean flag -> builder.flag(key, flag ? 1 : 0);
                case int[] integers -> builder.int32s(key, integers);
                case String[] texts -> builder.texts(key, texts);
                default -> throw new IllegalArgumentException("no type of a value: " + value);
            }
        });
        SplittableRandom random = new SplittableRandom(7);
        tensors.forEach((name, sizes) -> {
            int count = 1;
            for (long size : sizes) {
                count = Math.toIntExact(count * size);
            }
            float[] values = new float[count];
            for (int i = 0; i < count; i++) {
                values[i] = (float) random.nextDouble(0.1, 1);
            }
            builder.floats(name, values, sizes);
        });
        return builder.build();
    }

    Path write(Path file) throws IOException {
        return Files.write(file, build());
    }
}

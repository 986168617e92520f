package dev.troupe.weights;

import dev.troupe.tensor.DType;
import dev.troupe.tensor.LargePages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Random weights that exist only when asked for: an element is a function of seed, tensor name and index (a counter run
 * through the finaliser of SplitMix64, Steele et al. 2014), so that rows can be made in any order, and a model of a
 * gigabyte needs no second copy of itself. Uniform around a centre.
 */
public final class SyntheticWeights implements WeightSource {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String description;
    private final long seed;
    private final SortedMap<String, Recipe> recipes = new TreeMap<>();

    /**
     * How the elements of a tensor are made.
     *
     * @param tensor name, shape and a type that kernels compute with
     * @param centre mean of the elements; block types need 0
     * @param spread largest distance from it
     */
    public record Recipe(WeightTensor tensor, float centre, float spread) {
        /** A tensor of any type. */
        public static Recipe of(String name, DType type, List<Long> shape, float centre, float spread) {
            if (type.quantised() && centre != 0) {
                throw new IllegalArgumentException(
                        "%s of type %s has centre=%s, expected 0".formatted(name, type.label(), centre));
            }
            long rows = shape.size() < 2 ? 1 : shape.getFirst();
            long bytes = Math.multiplyExact(rows, type.rowBytes(shape.getLast()));
            return new Recipe(new WeightTensor(name, type.label(), type, shape, bytes, "none"), centre, spread);
        }
    }

    public SyntheticWeights(String description, long seed, List<Recipe> recipes) {
        this.description = description;
        this.seed = seed;
        for (Recipe recipe : recipes) {
            this.recipes.put(recipe.tensor().name(), recipe);
        }
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Collection<WeightTensor> tensors() {
        return Collections.unmodifiableCollection(
                recipes.values().stream().map(Recipe::tensor).toList());
    }

    @Override
    public @Nullable WeightTensor find(String name) {
        Recipe recipe = recipes.get(name);
        return recipe == null ? null : recipe.tensor();
    }

    @Override
    public MemorySegment rows(WeightTensor tensor, long fromRow, long toRow, Arena target) {
        Objects.checkFromToIndex(fromRow, toRow, tensor.rows());
        Recipe recipe = recipe(tensor);
        MemorySegment rows = LargePages.allocate(target, (toRow - fromRow) * tensor.rowBytes(), 64);
        fill(rows, recipe, fromRow * tensor.rowBytes());
        return rows;
    }

    private Recipe recipe(WeightTensor tensor) {
        Recipe recipe = recipes.get(tensor.name());
        if (recipe == null || !recipe.tensor().equals(tensor)) {
            throw new IllegalArgumentException("%s is no tensor of %s".formatted(tensor, description));
        }
        return recipe;
    }

    /** Fills {@code rows}, which are the tensor's bytes from {@code firstByte}. */
    private void fill(MemorySegment rows, Recipe recipe, long firstByte) {
        long key = mix(seed + GOLDEN_GAMMA * recipe.tensor().name().hashCode());
        DType type = Objects.requireNonNull(recipe.tensor().type());
        switch (type) {
            case F32 -> fillFloats(rows, key, firstByte / 4, recipe.centre(), recipe.spread());
            case BF16 -> fillHalves(rows, key, firstByte / 2, recipe.centre(), recipe.spread(), true);
            case F16 -> fillHalves(rows, key, firstByte / 2, recipe.centre(), recipe.spread(), false);
            case Q8_0 -> fillBlocks(rows, key, firstByte / type.blockBytes(), recipe.spread());
            default -> SyntheticBlocks.fill(rows, type, key, firstByte / type.blockBytes(), recipe.spread());
        }
    }

    private static void fillFloats(MemorySegment rows, long key, long first, float centre, float spread) {
        long count = rows.byteSize() / 4;
        for (long i = 0; i < count; i++) {
            rows.set(FLOAT, 4 * i, centre + spread * unit(random(key, first + i)));
        }
    }

    private static void fillHalves(
            MemorySegment rows, long key, long first, float centre, float spread, boolean brain) {
        long count = rows.byteSize() / 2;
        for (long i = 0; i < count; i++) {
            float value = centre + spread * unit(random(key, first + i));
            short half = brain ? (short) (Float.floatToRawIntBits(value) >>> 16) : Float.floatToFloat16(value);
            rows.set(SHORT, 2 * i, half);
        }
    }

    /** A block: a scale between 0.5 and 1 of the spread's, then 32 random bytes. */
    private static void fillBlocks(MemorySegment rows, long key, long first, float spread) {
        int bytes = DType.Q8_0.blockBytes();
        long count = rows.byteSize() / bytes;
        for (long block = 0; block < count; block++) {
            long counter = 5 * (first + block);
            float scale = spread / 128 * (0.75f + 0.25f * unit(random(key, counter)));
            rows.set(SHORT, bytes * block, Float.floatToFloat16(scale));
            for (int i = 0; i < 4; i++) {
                rows.set(LONG, bytes * block + 2 + 8L * i, random(key, counter + 1 + i));
            }
        }
    }

    /** Random bits of a counter. */
    static long random(long key, long counter) {
        return mix(key + GOLDEN_GAMMA * counter);
    }

    /** −1 to 1, from the upper 24 bits. */
    static float unit(long bits) {
        return (bits >> 40) * 0x1p-23f;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    @Override
    public void close() {}
}

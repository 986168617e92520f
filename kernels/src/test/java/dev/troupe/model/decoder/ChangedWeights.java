package dev.troupe.model.decoder;

import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Weights of which one tensor's bytes are changed. */
public final class ChangedWeights implements WeightSource {
    private final WeightSource base;
    private final String name;
    private final MemorySegment changed;

    public ChangedWeights(WeightSource base, String name, Consumer<MemorySegment> change) {
        this.base = base;
        this.name = name;
        MemorySegment original = base.bytes(Objects.requireNonNull(base.find(name)), Arena.ofAuto());
        this.changed = Arena.ofAuto().allocate(original.byteSize(), 64).copyFrom(original);
        change.accept(changed);
    }

    @Override
    public String description() {
        return base.description();
    }

    @Override
    public Collection<WeightTensor> tensors() {
        return base.tensors();
    }

    @Override
    public @Nullable WeightTensor find(String tensor) {
        return base.find(tensor);
    }

    @Override
    public MemorySegment rows(WeightTensor tensor, long fromRow, long toRow, Arena arena) {
        return tensor.name().equals(name)
                ? changed.asSlice(fromRow * tensor.rowBytes(), (toRow - fromRow) * tensor.rowBytes())
                : base.rows(tensor, fromRow, toRow, arena);
    }

    @Override
    public void close() {
        base.close();
    }
}

package dev.troupe.model.quantise;

import dev.troupe.model.DecoderTensors;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.DType;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Which type each tensor of a model gets. Vectors are f32. The matrices of the layers get the wanted type, the embedding
 * table and the output matrix q8_0, which every token is looked up in and scored with. A matrix whose columns do not fill
 * blocks of its type is q8_0, and if they do not fill those either it stays as it is.
 *
 * @param tensors in the order in which the model computes
 */
record TypePlan(RoundedType wanted, List<Planned> tensors) {
    TypePlan {
        tensors = List.copyOf(tensors);
    }

    /** A tensor of the checkpoint and what it becomes. */
    record Planned(WeightTensor source, DType type) {
        boolean isMatrix() {
            return source.shape().size() > 1;
        }

        boolean isVocabulary() {
            return source.name().equals(DecoderTensors.EMBEDDING)
                    || source.name().equals(DecoderTensors.HEAD);
        }

        /** Columns of a matrix, elements of a vector. */
        long columns() {
            return source.shape().getLast();
        }

        /** Bytes that it becomes. */
        long byteSize() {
            return Math.multiplyExact(type.rowBytes(columns()), source.rows());
        }
    }

    /**
     * Plans a whole checkpoint.
     *
     * @throws IllegalArgumentException if a matrix is block-quantised already, or nothing would get the wanted type
     * @throws WeightFormatException if a tensor is missing
     */
    static TypePlan of(Checkpoint checkpoint, RoundedType wanted) throws WeightFormatException {
        List<Planned> planned = new ArrayList<>();
        for (DecoderTensors.Expected expected : DecoderTensors.all(checkpoint.config())) {
            WeightTensor source = checkpoint.weights().require(expected.name());
            planned.add(new Planned(source, type(source, wanted.type())));
        }
        TypePlan plan = new TypePlan(wanted, planned);
        plan.requireWanted(checkpoint.name());
        return plan;
    }

    private static DType type(WeightTensor source, DType wanted) {
        DType stored = Objects.requireNonNull(source.type(), source.name());
        if (source.shape().size() < 2) {
            return DType.F32;
        }
        if (stored.quantised()) {
            throw new IllegalArgumentException(
                    "%s: tensor '%s' is %s already, and rounding it again would add to its error; start from f32, bf16 or f16"
                            .formatted(source.file(), source.name(), stored.label()));
        }
        boolean vocabulary = new Planned(source, stored).isVocabulary();
        for (DType type : vocabulary ? List.of(DType.Q8_0) : List.of(wanted, DType.Q8_0)) {
            if (source.shape().getLast() % type.blockSize() == 0) {
                return type;
            }
        }
        return stored;
    }

    private void requireWanted(String name) {
        List<Planned> matrices = tensors.stream()
                .filter(tensor -> tensor.isMatrix() && !tensor.isVocabulary())
                .toList();
        if (matrices.stream().anyMatch(tensor -> tensor.type() == wanted.type())) {
            return;
        }
        String works = Arrays.stream(RoundedType.values())
                .filter(type -> matrices.stream()
                        .anyMatch(tensor -> tensor.columns() % type.type().blockSize() == 0))
                .map(RoundedType::toString)
                .collect(Collectors.joining(", "));
        throw new IllegalArgumentException(
                "%s has no matrix to round to %s, whose blocks have %d columns: those of its layers have %s; these types work: %s"
                        .formatted(
                                name,
                                wanted,
                                wanted.type().blockSize(),
                                matrices.stream()
                                        .map(tensor -> String.valueOf(tensor.columns()))
                                        .distinct()
                                        .collect(Collectors.joining(", ")),
                                works.isEmpty() ? "none" : works));
    }

    /** Bytes of all tensors as they become. */
    long byteSize() {
        return tensors.stream().mapToLong(Planned::byteSize).sum();
    }

    /** A sentence for each kind of matrix that does not get the wanted type. */
    List<String> remarks() {
        List<String> remarks = new ArrayList<>();
        if (wanted != RoundedType.Q8_0) {
            boolean tied = tensors.stream().filter(Planned::isVocabulary).count() == 1;
            tensors.stream()
                    .filter(tensor -> tensor.isVocabulary() && tensor.type() == DType.Q8_0)
                    .findFirst()
                    .ifPresent(tensor -> remarks.add(
                            tied
                                    ? "the embedding table, which is the output matrix too, is q8_0"
                                    : "the embedding table and the output matrix are q8_0"));
        }
        Map<Long, List<Planned>> others = new TreeMap<>(tensors.stream()
                .filter(tensor -> tensor.isMatrix() && tensor.type() != wanted.type())
                .filter(tensor -> !tensor.isVocabulary() || tensor.type() != DType.Q8_0)
                .collect(Collectors.groupingBy(Planned::columns)));
        others.forEach((columns, alike) -> remarks.add(remark(columns, alike)));
        return remarks;
    }

    private String remark(long columns, List<Planned> alike) {
        DType type = alike.getFirst().type();
        return "%d %s of %d columns %s %s: %d is no multiple of %d"
                .formatted(
                        alike.size(),
                        alike.size() == 1 ? "matrix" : "matrices",
                        columns,
                        type == DType.Q8_0 ? alike.size() == 1 ? "is" : "are" : alike.size() == 1 ? "stays" : "stay",
                        alike.stream()
                                .map(tensor -> tensor.type().label())
                                .distinct()
                                .collect(Collectors.joining(", ")),
                        columns,
                        type == DType.Q8_0 ? wanted.type().blockSize() : DType.Q8_0.blockSize());
    }
}

package dev.troupe.model.quantise;

import dev.troupe.tensor.DType;

/** What the matrices of a file are rounded to. */
public enum RoundedType {
    Q8_0(DType.Q8_0, 7),
    Q4_0(DType.Q4_0, 2),
    Q4_K(DType.Q4_K, 14);

    private final DType type;
    private final int fileType;

    RoundedType(DType type, int fileType) {
        this.type = type;
        this.fileType = fileType;
    }

    DType type() {
        return type;
    }

    /** The number of {@code general.file_type} that stands for it (llama.cpp's {@code llama_ftype}). */
    int fileType() {
        return fileType;
    }

    /** As users write it. */
    @Override
    public String toString() {
        return type.label();
    }
}

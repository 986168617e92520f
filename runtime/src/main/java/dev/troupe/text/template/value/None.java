package dev.troupe.text.template.value;

/** Python's {@code None}, JSON's {@code null}: a value that says that there is none. */
public enum None {
    NONE
}

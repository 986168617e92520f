package dev.troupe.text.template.value;

import java.math.BigInteger;
import java.util.List;

/** What Python calls the types of values. */
public final class TypeName {
    private TypeName() {}

    public static String of(Object value) {
        return switch (value) {
            case None none -> "NoneType";
            case Boolean flag -> "bool";
            case Long number -> "int";
            case BigInteger number -> "int";
            case Double number -> "float";
            case String text -> "str";
            case Markup markup -> "Markup";
            case Tuple tuple -> "tuple";
            case Range range -> "range";
            case List<?> list -> "list";
            case Dict dict -> "dict";
            case Generator generator -> "generator";
            case Namespace namespace -> "Namespace";
            case Undefined undefined -> "Undefined";
            case Callable callable -> "function";
            default -> value.getClass().getSimpleName();
        };
    }
}

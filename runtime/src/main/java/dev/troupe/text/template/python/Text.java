package dev.troupe.text.template.python;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Generator;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Range;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.math.BigInteger;
import java.util.List;

/** Values as Python prints them. */
public final class Text {
    private final StringBuilder out = new StringBuilder();
    private final Budget budget;

    private Text(Budget budget) {
        this.budget = budget;
    }

    /** What {@code str} gives: a text as it is, an undefined value as nothing. */
    public static String str(Object value, Budget budget) {
        return switch (value) {
            case String text -> text;
            case Markup(String text) -> text;
            case Undefined undefined -> "";
            default -> repr(value, budget);
        };
    }

    /** What {@code repr} gives: texts in quotes, with escapes. */
    public static String repr(Object value, Budget budget) {
        Text text = new Text(budget);
        text.add(value);
        return text.out.toString();
    }

    private void add(Object value) {
        budget.enter();
        switch (value) {
            case None none -> append("None");
            case Boolean flag -> append(flag ? "True" : "False");
            case Double number -> append(Numbers.text(number));
            case BigInteger number -> {
                budget.steps(number.bitLength());
                append(number.toString());
            }
            case Number number -> append(number.toString());
            case String text -> quote(text);
            case Markup(String text) -> {
                append("Markup(");
                quote(text);
                append(")");
            }
            case Undefined undefined -> append("Undefined");
            case Tuple(List<Object> elements) -> {
                append("(");
                addAll(elements);
                append(elements.size() == 1 ? ",)" : ")");
            }
            case Range range -> append(range.text());
            case List<?> list -> {
                append("[");
                addAll(list);
                append("]");
            }
            case Dict dict -> add(dict);
            case Generator generator -> append("<generator object>");
            default -> append("<" + TypeName.of(value) + ">");
        }
        budget.leave();
    }

    private void addAll(List<?> elements) {
        String between = "";
        for (Object element : elements) {
            append(between);
            add(element);
            between = ", ";
        }
    }

    private void add(Dict dict) {
        String between = "{";
        for (Dict.Item item : dict.items()) {
            append(between);
            add(item.key());
            append(": ");
            add(item.value());
            between = ", ";
        }
        append(dict.size() == 0 ? "{}" : "}");
    }

    private void append(String text) {
        budget.text(text.length());
        out.append(text);
    }

    private void quote(String text) {
        budget.text(text.length());
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        out.append(quote);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        append((c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c));
                    }
                }
            }
        });
        out.append(quote);
    }

    private static boolean isPrintable(int codePoint) {
        return codePoint == ' '
                || switch (Character.getType(codePoint)) {
                    case Character.CONTROL,
                            Character.FORMAT,
                            Character.SURROGATE,
                            Character.PRIVATE_USE,
                            Character.UNASSIGNED,
                            Character.LINE_SEPARATOR,
                            Character.PARAGRAPH_SEPARATOR,
                            Character.SPACE_SEPARATOR -> false;
                    default -> true;
                };
    }
}

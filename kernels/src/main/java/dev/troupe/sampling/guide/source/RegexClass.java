package dev.troupe.sampling.guide.source;

import java.util.ArrayList;
import java.util.List;

/** Sets of characters in a regular expression: {@code [...]} and escapes. */
final class RegexClass {
    private final RegexSource source;

    RegexClass(RegexSource source) {
        this.source = source;
    }

    /** Reads what follows a {@code [} at {@code from}. */
    CodePoints read(int from) {
        boolean negated = source.takes("^");
        if (source.sees("]")) {
            throw source.error(from, "this class is empty; write \\] for the character");
        }
        List<CodePoints> items = new ArrayList<>();
        while (!source.takes("]")) {
            if (source.ended()) {
                throw source.error(from, "this class is not closed");
            }
            items.add(item());
        }
        CodePoints set = CodePoints.union(items);
        return negated ? set.not() : set;
    }

    private CodePoints item() {
        int from = source.position();
        CodePoints first = member();
        if (!source.sees("-") || source.sees("-]")) {
            return first;
        }
        source.take();
        CodePoints last = member();
        if (!isSingle(first) || !isSingle(last)) {
            throw source.error(from, "a range goes from one character to another");
        }
        int least = first.ranges().getFirst().least();
        int most = last.ranges().getFirst().least();
        if (least > most) {
            throw source.error(from, "this range has its ends reversed");
        }
        return CodePoints.range(least, most);
    }

    private static boolean isSingle(CodePoints set) {
        return set.ranges().size() == 1
                && set.ranges().getFirst().least() == set.ranges().getFirst().most();
    }

    private CodePoints member() {
        int from = source.position();
        int point = source.take();
        if (point == '[' || (point == '&' && source.sees("&"))) {
            throw source.error(from, "classes within classes are not supported; write \\%c".formatted(point));
        }
        return point == '\\' ? escape(source, from) : CodePoints.of(point);
    }

    /** Reads what follows a backslash at {@code from}. */
    static CodePoints escape(RegexSource source, int from) {
        int point = source.take();
        return switch (point) {
            case 'd' -> CodePoints.DIGITS;
            case 'D' -> CodePoints.DIGITS.not();
            case 'w' -> CodePoints.WORD;
            case 'W' -> CodePoints.WORD.not();
            case 's' -> CodePoints.SPACE;
            case 'S' -> CodePoints.SPACE.not();
            case 'n' -> CodePoints.of('\n');
            case 'r' -> CodePoints.of('\r');
            case 't' -> CodePoints.of('\t');
            case 'f' -> CodePoints.of('\f');
            case 'x' -> CodePoints.of(source.hex(2));
            case 'u' -> unicode(source, from);
            default -> {
                if (Character.isLetterOrDigit(point)) {
                    throw source.error(from, "the escape \\%s is not supported".formatted(Character.toString(point)));
                }
                yield CodePoints.of(point);
            }
        };
    }

    private static CodePoints unicode(RegexSource source, int from) {
        int point = source.hex(4);
        if (Character.isHighSurrogate((char) point) && source.takes("\\u")) {
            int low = source.hex(4);
            if (Character.isLowSurrogate((char) low)) {
                return CodePoints.of(Character.toCodePoint((char) point, (char) low));
            }
        }
        if (point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE) {
            throw source.error(from, "half a surrogate pair is no character");
        }
        return CodePoints.of(point);
    }
}

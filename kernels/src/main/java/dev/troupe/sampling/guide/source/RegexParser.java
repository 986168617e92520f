package dev.troupe.sampling.guide.source;

import dev.troupe.sampling.guide.automaton.Expr;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Regular expressions: literals, {@code .}, classes, {@code \d \w \s} (ASCII) and their complements, groups, alternation,
 * {@code * + ? {m} {m,} {m,n}}. Backreferences, look-around and word boundaries are refused: they are no regular language.
 * A lazy quantifier means the same language as a greedy one.
 */
final class RegexParser {
    static final int LONGEST_PATTERN = 8_192;
    static final int DEEPEST_GROUP = 64;
    static final int MOST_REPEATS = 10_000;

    private final RegexSource source;
    private final Function<CodePoints, Expr> encoding;
    private final boolean anywhere;
    private int depth;

    private RegexParser(RegexSource source, Function<CodePoints, Expr> encoding, boolean anywhere) {
        this.source = source;
        this.encoding = encoding;
        this.anywhere = anywhere;
    }

    /**
     * Parses a pattern.
     *
     * @param encoding how a code point of a set is written
     * @param anywhere whether the pattern may match a part of the text, unless {@code ^} and {@code $} say otherwise; else
     *     it matches the whole, and these may stand at its ends all the same
     * @throws dev.troupe.sampling.guide.automaton.GuideException if it is malformed, unsupported or beyond a limit
     */
    static Expr parse(String pattern, Function<CodePoints, Expr> encoding, boolean anywhere) {
        RegexSource source = new RegexSource(pattern);
        if (pattern.length() > LONGEST_PATTERN) {
            throw source.error(
                    LONGEST_PATTERN,
                    "it has %d characters, expected at most %d".formatted(pattern.length(), LONGEST_PATTERN));
        }
        RegexParser parser = new RegexParser(source, encoding, anywhere);
        List<Expr> branches = new ArrayList<>();
        do {
            branches.add(parser.outerBranch());
        } while (source.takes("|"));
        if (!source.ended()) {
            throw source.error(source.position(), "this ) closes no group");
        }
        return new Expr.Choice(branches);
    }

    private Expr outerBranch() {
        boolean fromStart = source.takes("^") || !anywhere;
        Expr body = branch();
        boolean toEnd = source.takes("$") || !anywhere;
        if (!source.ended() && !source.sees("|") && !source.sees(")")) {
            throw source.error(source.position() - 1, "$ may only stand at the end");
        }
        Expr anything = new Expr.Repeat(encoding.apply(CodePoints.ALL), 0, Expr.Repeat.UNBOUNDED);
        return Expr.sequence(fromStart ? Expr.EMPTY : anything, body, toEnd ? Expr.EMPTY : anything);
    }

    private Expr branch() {
        List<Expr> parts = new ArrayList<>();
        while (!source.ended() && !source.sees("|") && !source.sees(")") && !source.sees("$")) {
            parts.add(quantified(atom()));
        }
        return new Expr.Sequence(parts);
    }

    private Expr quantified(Expr atom) {
        int from = source.position();
        Expr result = atom;
        if (source.takes("*")) {
            result = new Expr.Repeat(atom, 0, Expr.Repeat.UNBOUNDED);
        } else if (source.takes("+")) {
            result = new Expr.Repeat(atom, 1, Expr.Repeat.UNBOUNDED);
        } else if (source.takes("?")) {
            result = Expr.optional(atom);
        } else if (source.takes("{")) {
            result = counted(atom, from);
        } else {
            return atom;
        }
        if (!source.takes("?") && source.sees("+")) {
            throw source.error(source.position(), "possessive quantifiers are not supported");
        }
        if (source.sees("*") || source.sees("+") || source.sees("?") || source.sees("{")) {
            throw source.error(source.position(), "a quantifier follows a quantifier; put the first in a group");
        }
        return result;
    }

    private Expr counted(Expr atom, int from) {
        int least = source.number();
        int most = least;
        if (source.takes(",")) {
            most = source.number();
        }
        if (least < 0 || !source.takes("}")) {
            throw source.error(from, "{m}, {m,} or {m,n} is expected; write \\{ for the character");
        }
        if (most >= 0 && most < least) {
            throw source.error(from, "{%d,%d} has its bounds reversed".formatted(least, most));
        }
        if (Math.max(least, most) > MOST_REPEATS) {
            throw source.error(
                    from, "%d repetitions, expected at most %d".formatted(Math.max(least, most), MOST_REPEATS));
        }
        return new Expr.Repeat(atom, least, most < 0 ? Expr.Repeat.UNBOUNDED : most);
    }

    private Expr atom() {
        int from = source.position();
        int point = source.take();
        return switch (point) {
            case '(' -> group(from);
            case '[' -> encoding.apply(new RegexClass(source).read(from));
            case '.' -> encoding.apply(CodePoints.LINE_ENDS.not());
            case '\\' -> encoding.apply(RegexClass.escape(source, from));
            case '*', '+', '?', '{' -> throw source.error(from, "this quantifier has nothing to repeat");
            case '^' -> throw source.error(from, "^ may only stand at the start");
            default -> encoding.apply(CodePoints.of(point));
        };
    }

    private Expr group(int from) {
        if (source.sees("?") && !source.takes("?:")) {
            throw source.error(from, "of the groups that start with (? only (?: is supported");
        }
        if (++depth > DEEPEST_GROUP) {
            throw source.error(from, "groups are nested more than %d deep".formatted(DEEPEST_GROUP));
        }
        List<Expr> branches = new ArrayList<>();
        do {
            branches.add(branch());
        } while (source.takes("|"));
        if (source.sees("$")) {
            throw source.error(source.position(), "$ may only stand at the end");
        }
        if (!source.takes(")")) {
            throw source.error(from, "this group is not closed");
        }
        depth--;
        return new Expr.Choice(branches);
    }
}

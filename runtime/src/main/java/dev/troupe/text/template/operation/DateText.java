package dev.troupe.text.template.operation;

import dev.troupe.text.template.limit.Budget;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoField;
import java.time.temporal.ChronoUnit;
import java.util.Locale;

/** A time as C's {@code strftime} writes it in the C locale; directives it does not know stay as they are. */
public final class DateText {
    private static final int WEEK = 7;
    private static final int DIRECTIVE_STEPS = 50;

    private DateText() {}

    public static String of(LocalDateTime time, String format, Budget budget) {
        budget.text(format.length());
        StringBuilder out = new StringBuilder();
        int at = 0;
        while (at < format.length()) {
            char c = format.charAt(at++);
            if (c != '%' || at == format.length()) {
                out.append(c);
                continue;
            }
            budget.steps(DIRECTIVE_STEPS);
            boolean bare = format.charAt(at) == '-' && at + 1 < format.length();
            at += bare ? 1 : 0;
            String text = directive(time, format.charAt(at++));
            budget.text(text.length());
            out.append(bare ? text.replaceFirst("^[0 ]+(?=.)", "") : text);
        }
        return out.toString();
    }

    private static String directive(LocalDateTime time, char letter) {
        return switch (letter) {
            case 'a' -> by("EEE", time);
            case 'A' -> by("EEEE", time);
            case 'b', 'h' -> by("MMM", time);
            case 'B' -> by("MMMM", time);
            case 'c' -> "%s %2d %s".formatted(by("EEE MMM", time), time.getDayOfMonth(), by("HH:mm:ss yyyy", time));
            case 'C' -> "%02d".formatted(time.getYear() / 100);
            case 'd' -> by("dd", time);
            case 'D', 'x' -> by("MM/dd/yy", time);
            case 'e' -> "%2d".formatted(time.getDayOfMonth());
            case 'f' -> "%06d".formatted(time.get(ChronoField.MICRO_OF_SECOND));
            case 'F' -> by("yyyy-MM-dd", time);
            case 'H' -> by("HH", time);
            case 'I' -> by("hh", time);
            case 'j' -> by("DDD", time);
            case 'm' -> by("MM", time);
            case 'M' -> by("mm", time);
            case 'n' -> "\n";
            case 'p' -> time.getHour() < 12 ? "AM" : "PM";
            case 'R' -> by("HH:mm", time);
            case 'S' -> by("ss", time);
            case 't' -> "\t";
            case 'T', 'X' -> by("HH:mm:ss", time);
            case 'u' -> String.valueOf(time.getDayOfWeek().getValue());
            case 'U' -> week(time, time.getDayOfWeek().getValue() % WEEK);
            case 'w' -> String.valueOf(time.getDayOfWeek().getValue() % WEEK);
            case 'W' -> week(time, time.getDayOfWeek().getValue() - 1);
            case 'y' -> by("yy", time);
            case 'Y' -> by("yyyy", time);
            case 'z', 'Z' -> "";
            case '%' -> "%";
            default -> "%" + letter;
        };
    }

    private static String week(LocalDateTime time, int daysSinceItBegan) {
        long day = ChronoUnit.DAYS.between(time.toLocalDate().withDayOfYear(1), time.toLocalDate());
        return "%02d".formatted((day + WEEK - daysSinceItBegan) / WEEK);
    }

    private static String by(String pattern, LocalDateTime time) {
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
    }
}

package dev.troupe.text.template.limit;

import java.io.Serial;

/** A template that does not compile, or that does not give a text. The message begins with the line, if it is known. */
public abstract sealed class TemplateException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    private int line;

    private TemplateException(String reason) {
        super(reason);
    }

    /** Says where it happened, unless that is known already. */
    public TemplateException at(int where) {
        if (line == 0) {
            line = where;
        }
        return this;
    }

    /** The line of the template, from 1; 0 if it is not known. */
    public int line() {
        return line;
    }

    /** What is wrong, without the line. */
    public String reason() {
        return String.valueOf(super.getMessage());
    }

    @Override
    public String getMessage() {
        return line == 0 ? reason() : "line %d: %s".formatted(line, reason());
    }

    /** The source is no template. */
    public static final class Syntax extends TemplateException {
        @Serial
        private static final long serialVersionUID = 1;

        public Syntax(int line, String reason) {
            super(reason);
            at(line);
        }
    }

    /** The template did what its language does not allow, for example added a number to a text. */
    public static final class Failed extends TemplateException {
        @Serial
        private static final long serialVersionUID = 1;

        public Failed(String reason) {
            super(reason);
        }
    }

    /** The template itself refused what it was given; {@link #reason()} is what it says. */
    public static final class Refused extends TemplateException {
        @Serial
        private static final long serialVersionUID = 1;

        public Refused(String reason) {
            super(reason);
        }
    }

    /** The template wanted more of something than {@link Limits} allow. */
    public static final class LimitReached extends TemplateException {
        @Serial
        private static final long serialVersionUID = 1;

        private final String limit;

        public LimitReached(String limit, long allowed) {
            super("needs more than the limit %s = %d".formatted(limit, allowed));
            this.limit = limit;
        }

        /** The name of the limit, a component of {@link Limits}. */
        public String limit() {
            return limit;
        }
    }
}

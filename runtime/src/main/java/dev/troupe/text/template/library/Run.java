package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.Budget;
import java.time.LocalDateTime;

/**
 * One rendering, as a filter or function sees it.
 *
 * @param now what {@code strftime_now} tells
 */
public record Run(Budget budget, LocalDateTime now) {}

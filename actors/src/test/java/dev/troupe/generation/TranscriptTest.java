package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.Output;
import dev.troupe.serving.Returns;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TranscriptTest {
    private static final Ints PROMPT = Ints.of(5, 6, 7);
    private static final Transcript.Verdict ENTERS = new Transcript.Verdict.Enters(Optional.empty());
    private static final Transcript.Verdict REPEATS = new Transcript.Verdict.Repeats();

    private static Output.Token token(int choice, int position, int token) {
        return new Output.Token(choice, position, token, 0, Float.NaN, List.of());
    }

    private static Output.Row row(int position) {
        return new Output.Row(0, position, new Floats(1, 1, new float[] {position}));
    }

    private static Transcript.Verdict ends(FinishReason reason) {
        return new Transcript.Verdict.Enters(Optional.of(reason));
    }

    private static Transcript.Verdict contradicts(String reason) {
        return new Transcript.Verdict.Contradicts(new GenerationFailure(GenerationFailure.Kind.DEFECT, reason));
    }

    private static Transcript transcript(int n, int maxTokens) {
        return new Transcript(GenerationRequest.of("m", PROMPT)
                .n(n)
                .maxTokens(maxTokens)
                .stopTokens(Ints.of(99))
                .build());
    }

    @Test
    void takesOnlyTheNextPositionOfAChoice() {
        Transcript transcript = transcript(1, 4);

        assertThat(transcript.take(token(0, 3, 10))).isEqualTo(ENTERS);
        assertThat(transcript.take(token(0, 5, 12)))
                .isEqualTo(new Transcript.Verdict.Misses("choice 0 got the token of position 5, expected position 4"));
        assertThat(transcript.take(token(0, 2, 7)))
                .isEqualTo(contradicts("choice 0 got the token of position 2, expected position 4"));
        assertThat(transcript.take(token(0, 4, 11))).isEqualTo(ENTERS);
    }

    @Test
    void dropsATokenThatComesAgainAndRefusesAnotherInItsPlace() {
        Transcript transcript = transcript(1, 4);
        transcript.take(token(0, 3, 10));

        assertThat(transcript.take(token(0, 3, 10))).isEqualTo(REPEATS);
        assertThat(transcript.take(token(0, 3, 11)))
                .isEqualTo(contradicts("choice 0 has token 10 at position 3 and got 11 there, expected the same"));
        assertThat(transcript.repeated()).isEqualTo(1);
    }

    @Test
    void endsAChoiceAtAStopTokenOrAtItsLength() {
        Transcript transcript = transcript(2, 2);

        assertThat(transcript.take(token(0, 3, 99))).isEqualTo(ends(FinishReason.STOP));
        assertThat(transcript.take(token(1, 3, 10))).isEqualTo(ENTERS);
        assertThat(transcript.open()).containsExactly(new Submission.Choice(1, Ints.of(10)));
        assertThat(transcript.take(token(1, 4, 11))).isEqualTo(ends(FinishReason.LENGTH));
        assertThat(transcript.isFinished()).isTrue();
        assertThat(transcript.drawn()).isEqualTo(3);
    }

    @Test
    void dropsWhatComesAfterTheEndOfAChoice() {
        Transcript transcript = transcript(1, 9);
        transcript.take(token(0, 3, 10));
        transcript.take(token(0, 4, 11));

        Optional<LogEntry.Finished> end = transcript.end(0, 1, FinishReason.STOP);

        assertThat(end).contains(new LogEntry.Finished(0, 1, FinishReason.STOP));
        assertThat(transcript.take(token(0, 5, 12))).isEqualTo(REPEATS);
        assertThat(transcript.end(0, 1, FinishReason.STOP)).isEmpty();
        assertThat(transcript.end(1, 1, FinishReason.STOP)).isEmpty();
    }

    @Test
    void takesRowsOfEveryPromptPositionInOrderAndEndsWithTheLast() {
        Transcript transcript = new Transcript(GenerationRequest.of("m", PROMPT)
                .maxTokens(0)
                .returns(new Returns(Set.of(Want.Kind.ROW), Set.of(Want.Kind.HIDDEN)))
                .build());

        assertThat(transcript.take(row(0))).isEqualTo(ENTERS);
        assertThat(transcript.take(row(2)))
                .isEqualTo(new Transcript.Verdict.Misses("choice 0 got ROW of position 2, expected position 1"));
        assertThat(transcript.take(row(1))).isEqualTo(ENTERS);
        assertThat(transcript.take(row(0))).isEqualTo(REPEATS);
        assertThat(transcript.take(row(2))).isEqualTo(ENTERS);
        assertThat(transcript.take(new Output.Hidden(0, 2, new Floats(1, 0, new float[0]))))
                .isEqualTo(ends(FinishReason.LENGTH));
    }

    @Test
    void endsWithTheMeanAndTheLastScoreWhicheverComesLast() {
        Transcript transcript = new Transcript(GenerationRequest.of("m", PROMPT)
                .maxTokens(0)
                .returns(new Returns(Set.of(Want.Kind.SCORE), Set.of(Want.Kind.MEAN)))
                .build());

        assertThat(transcript.take(score(1)))
                .isEqualTo(new Transcript.Verdict.Misses("choice 0 got SCORE of position 1, expected position 0"));
        assertThat(transcript.take(score(0))).isEqualTo(ENTERS);
        assertThat(transcript.take(score(1))).isEqualTo(ENTERS);
        assertThat(transcript.take(new Output.Mean(0, 2, new Floats(1, 0, new float[0]))))
                .isEqualTo(ENTERS);
        assertThat(transcript.take(score(2))).isEqualTo(ends(FinishReason.LENGTH));
    }

    private static Output.Score score(int position) {
        return new Output.Score(0, position, 7, -1, List.of());
    }

    @Test
    void refusesAChoiceThatWasNotAskedFor() {
        assertThat(transcript(2, 4).take(token(2, 3, 1))).isEqualTo(contradicts("choice 2 of 2"));
    }
}

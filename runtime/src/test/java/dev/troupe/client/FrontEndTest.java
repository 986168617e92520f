package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.generation.Generation;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.guide.CheckedGuides;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FrontEndTest {
    private static final int MINUTES = 2;

    private final ActorTestKit kit =
            ActorTestKit.create(ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s"));
    private final TestProbe<Generation.Command> generation = kit.createTestProbe();
    private final TestProbe<StreamReader.Answer> client = kit.createTestProbe();
    private final TestProbe<StreamReader.Answer> other = kit.createTestProbe();

    /** What is to be compiled. */
    private final LinkedBlockingQueue<Runnable> guides = new LinkedBlockingQueue<>();

    private final ActorRef<FrontEnd.Command> frontEnd = start();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private ActorRef<FrontEnd.Command> start() {
        FrontEnd.Generations generations = new FrontEnd.Generations() {
            @Override
            public RecipientRef<Generation.Command> begin() {
                return generation.getRef();
            }

            @Override
            public RecipientRef<Generation.Command> resume(GenerationId original) {
                return generation.getRef();
            }
        };
        try {
            Tokenizer tokenizer = Tokenizer.load(Path.of("src", "main", "models", "tales", "tokenizer.json"));
            return kit.spawn(FrontEnd.create(
                    new FrontEnd.Setup(
                            "m", tokenizer, Ints.of(0), generations, Duration.ofSeconds(30), List::of, _ -> {}),
                    guides::add));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static TextRequest request(GuideSpec guide) {
        return TextRequest.greedy("Once", 9)
                .withSampling(SamplingParameters.greedy().withGuide(guide));
    }

    /** One that no test has asked for, too long to be cheap. */
    private static GuideSpec longChoice(String letter) {
        return new GuideSpec(GuideSpec.Kind.CHOICE, "[\"" + letter.repeat(18_000) + "\"]");
    }

    private Runnable toCompile() throws InterruptedException {
        Runnable next = guides.poll(MINUTES, TimeUnit.MINUTES);
        assertThat(next).isNotNull();
        return next;
    }

    @Test
    void compilesAnUnknownGuideElsewhereAndServesOthersMeanwhile() throws Exception {
        GuideSpec guide = longChoice("x");
        frontEnd.tell(new FrontEnd.Open(request(guide), client.getRef()));
        frontEnd.tell(new FrontEnd.Open(TextRequest.greedy("Once", 9), other.getRef()));

        other.expectMessageClass(StreamReader.Opened.class);
        client.expectNoMessage(Duration.ofMillis(50));
        assertThat(CheckedGuides.knows(guide)).isFalse();
        toCompile().run();

        client.expectMessageClass(StreamReader.Opened.class);
        assertThat(CheckedGuides.knows(guide)).isTrue();
    }

    @Test
    void compilesNothingForAGuideThatIsKnown() {
        GuideSpec guide = longChoice("y");
        CheckedGuides.require(guide);

        frontEnd.tell(new FrontEnd.Open(request(guide), client.getRef()));
        frontEnd.tell(new FrontEnd.Resume("g@a", request(guide), Ints.of(0), other.getRef()));

        client.expectMessageClass(StreamReader.Opened.class);
        other.expectMessageClass(StreamReader.Opened.class);
        assertThat(guides).isEmpty();
    }

    @Test
    void tellsWhatIsWrongWithAGuideAndServesTheNext() throws Exception {
        frontEnd.tell(new FrontEnd.Resume(
                "g@a", request(new GuideSpec(GuideSpec.Kind.REGEX, "front-end(")), Ints.of(0), client.getRef()));
        frontEnd.tell(new FrontEnd.Open(request(longChoice("z")), other.getRef()));
        toCompile().run();
        toCompile().run();

        GenerationFailure failure =
                client.expectMessageClass(StreamReader.Failed.class).failure();
        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.INVALID);
        assertThat(failure.reason()).contains("regular expression");
        other.expectMessageClass(StreamReader.Opened.class);
    }
}

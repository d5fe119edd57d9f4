"""The lessons, in the order of a workshop. A new one is an entry here and a function in findings.py."""

from views.shared.lessons import findings
from views.shared.lessons.findings import PHANTOMS, RARE, TEST, VALIDATION
from views.shared.lessons.lesson import Lesson, Step

_READ, _METHODS = "views/explore/diagnose.py", "views/explore/methods.py"
_PERFORMANCE, _COMPARE, _ERRORS = (f"views/evidence/{page}.py" for page in ("performance", "compare", "errors"))
_SHORTCUTS, _AUDIT = "views/evidence/shortcuts.py", "views/evidence/audit.py"


def lessons(films: str) -> dict[str, Lesson]:
    """The lessons by key. films: id of the collection whose films are looked at."""
    return {
        "guess": Lesson(
            title="You first",
            minutes=10,
            aim="Say how hard such films are to read, before a model is believed or laughed at.",
            question="Of ten films, how many will you get right? Write the number down.",
            steps=(
                Step(
                    "Switch on Guess before the model speaks, and read ten films. The model answers after each guess.",
                    _READ,
                    "Read X-rays",
                    {"collection": films, "model": "champion"},
                ),
                Step(
                    "Find a film on which you and the model part. Did you look where its heatmap glows? Neither of you "
                    "has to be right."
                ),
            ),
            models=("champion", "cnn8"),
            find=findings.guesses,
            talk="A radiologist also knows the child, how it breathes and what the last film showed. What is compared "
            "when a model is said to be as good as a doctor?",
        ),
        "accuracy": Lesson(
            title="Right most of the time",
            minutes=10,
            aim="Read a confusion matrix, and say what an accuracy hides.",
            question="A program says pneumonia of every film that it is given. How good is its accuracy?",
            steps=(
                Step(
                    "Look at the four cells. How many healthy children does this small network alarm?",
                    _PERFORMANCE,
                    "See the small network's cells",
                    {"model": "cnn8", "set": TEST},
                ),
                Step(
                    "Open the false alarms. Can you tell from any of them why it was called?",
                    _ERRORS,
                    "See its false alarms",
                    {"model": "cnn8", "set": TEST, "outcome": "false positive"},
                ),
                Step(
                    "Which cells does a better network empty, and which one hardly changes?",
                    _PERFORMANCE,
                    "See a better network's cells",
                    {"model": "champion", "set": TEST},
                ),
            ),
            models=("cnn8", "champion"),
            find=findings.accuracy,
            talk="To an accuracy, a missed pneumonia and a false alarm are the same. What does each do to a child?",
        ),
        "operating-point": Lesson(
            title="Where the line is drawn",
            minutes=15,
            aim="Say what an operating point is, what moving it costs, and on which films it may be chosen.",
            question="Is there a threshold at which this network misses no pneumonia and alarms no healthy child?",
            steps=(
                Step(
                    "Move the threshold from one end to the other, and watch the dot on the ROC curve.",
                    _PERFORMANCE,
                    "Move the threshold",
                    {"model": "vgg16-two-rates", "set": TEST},
                ),
                Step("Press each of the buttons above the slider. On which films was each threshold chosen?"),
                Step("By hand, find the threshold with the highest accuracy on these films. Write both down."),
            ),
            models=("vgg16-two-rates",),
            find=findings.operating_point,
            talk="The highest accuracy was found with the answers in hand. What would you ask the authors of a paper "
            "that reports such a figure?",
        ),
        "prevalence": Lesson(
            title="The same model in another clinic",
            minutes=10,
            aim="Say why the worth of an alarm depends on how many are ill.",
            question="One child in twenty is ill. Of the alarms of a very accurate model, are most true or most false?",
            steps=(
                Step(
                    "Go to What an alarm is worth in a clinic, and follow a thousand children.",
                    _PERFORMANCE,
                    "See the alarms in a clinic",
                    {"model": "champion", "set": TEST, "prevalence": str(RARE)},
                ),
                Step("At which share of ill children is every second alarm true? Move the slider until it is."),
            ),
            models=("champion",),
            find=findings.prevalence,
            talk="Nothing about the model has changed. What must be known of a clinic before it is promised anything?",
        ),
        "folders": Lesson(
            title="Another folder, another figure",
            minutes=10,
            aim="Say why a figure from held-out films of one's own folder promises too much.",
            question="A model does very well on children whom it has never seen. Will it do as well on the films of "
            "another folder of the same hospital?",
            steps=(
                Step(
                    "Read its figures on validation films: held out of the training folder, patient by patient.",
                    _PERFORMANCE,
                    "See the validation films",
                    {"model": "mobilenetv2", "set": VALIDATION},
                ),
                Step(
                    "Read the same figures on the test folder. Which of them fell most, and which hardly?",
                    _PERFORMANCE,
                    "See the test films",
                    {"model": "mobilenetv2", "set": TEST},
                ),
            ),
            models=("cnn11", "mobilenetv2", "champion"),
            find=findings.folders,
            talk="Both folders are from one hospital. What do you expect in yours, and how would you find out?",
        ),
        "width": Lesson(
            title="A model that sees nothing",
            minutes=10,
            aim="Name the first check of any data set: what can be told without looking at a picture.",
            question="Somebody knows how wide each film's file is, in pixels, and nothing else. How well can ill and "
            "healthy films be told apart by that?",
            steps=(
                Step(
                    "Read its AUROC and its operating point.",
                    _PERFORMANCE,
                    "See the model that sees nothing",
                    {"model": "width-only", "set": TEST},
                ),
                Step(
                    "Find it in the leaderboard. Which networks are below it?",
                    _COMPARE,
                    "See the leaderboard",
                    {"set": TEST},
                ),
            ),
            models=("width-only",),
            find=findings.width,
            talk="The files were cut before they were published, and not alike for ill and healthy children. A network "
            "sees all films at one size. Could it know their width all the same?",
        ),
        "lungs": Lesson(
            title="Take the lungs away",
            minutes=15,
            aim="Say what a shortcut is, and how blanking parts of a film shows one.",
            question="The lungs are blanked on every film. Which AUROC is left of a model that reads lungs?",
            steps=(
                Step(
                    "See what is left of the model's answers, part by part.",
                    _SHORTCUTS,
                    "Blank the films",
                    {"model": "mobilenetv2", "set": TEST, "show": "model"},
                ),
                Step(
                    "Do it with a single film, and watch the probability move.",
                    _SHORTCUTS,
                    "Blank one film",
                    {"model": "mobilenetv2", "collection": films, "show": "film"},
                ),
                Step(
                    "Compare all models. Which one leans on the lungs most?",
                    _SHORTCUTS,
                    "Blank them for all models",
                    {"set": TEST, "show": "models"},
                ),
            ),
            models=("cnn11", "mobilenetv2", "champion"),
            find=findings.without_lungs,
            talk="A blanked film is unlike all that a model has learnt from. What does a fall of the AUROC prove, and "
            "what an AUROC that stays high?",
        ),
        "heatmaps": Lesson(
            title="A convincing picture",
            minutes=20,
            aim="Ask a heatmap for evidence before believing it.",
            question="The last layers of a network are shuffled, so that it forgets what pneumonia is. Will its "
            "heatmaps still look sensible?",
            steps=(
                Step(
                    "Choose the map that convinces you most, and say why.",
                    _METHODS,
                    "See seven maps of one film",
                    {"collection": films, "model": "champion", "by": "methods"},
                ),
                Step(
                    "Which methods' maps hardly change when the layers behind them forget what they learnt?",
                    _AUDIT,
                    "See what a randomised head does",
                    {"set": TEST, "measure": "head_randomised"},
                ),
                Step(
                    "On phantoms it is known where the opacity is. Which methods find it more often than a spot in "
                    "the middle of every film, the centre prior?",
                    _AUDIT,
                    "See the pointing game",
                    {"set": PHANTOMS, "measure": "pointing"},
                ),
            ),
            models=("champion",),
            find=findings.heatmaps,
            talk="A doctor is shown a heatmap and believes the model more. When is that good, and when is it a danger?",
        ),
        "calibration": Lesson(
            title="Nine times out of ten",
            minutes=10,
            aim="Read a reliability diagram, and say when a probability can be taken at its word.",
            question="A model gives a hundred films a probability of nine in ten. How many of them show pneumonia?",
            steps=(
                Step(
                    "Go to the reliability diagram. These films set the probabilities: how near is it to the line?",
                    _PERFORMANCE,
                    "See the validation films",
                    {"model": "champion", "set": VALIDATION},
                ),
                Step(
                    "Now the test films. On which side of the line are the dots, and what does that mean?",
                    _PERFORMANCE,
                    "See the test films",
                    {"model": "champion", "set": TEST},
                ),
            ),
            models=("champion",),
            find=findings.calibration,
            talk="The order of the films is nearly right, the probabilities are not. For which uses is that enough?",
        ),
        "luck": Lesson(
            title="Better, or luckier?",
            minutes=15,
            aim="Say when a difference between two models is more than chance.",
            question="Two models read the same films, and one is right on a few more. Is it better?",
            steps=(
                Step(
                    "Read the paired tests. Which films decide, and which say nothing?",
                    _COMPARE,
                    "Compare a network and a committee",
                    {"set": TEST, "model": "champion", "other": "committee"},
                ),
                Step(
                    "Compare two that are further apart.",
                    _COMPARE,
                    "Compare two networks",
                    {"set": TEST, "model": "champion", "other": "cnn8"},
                ),
                Step(
                    "At the end of the page: what did training the same recipe again change?",
                    _PERFORMANCE,
                    "See a network trained again",
                    {"model": "champion", "set": TEST},
                ),
            ),
            models=("champion", "committee", "resnet50-bn", "cnn8"),
            find=findings.luck,
            talk="A paper tries twenty networks and reports the best. How much of its figure is luck, and what would "
            "show it?",
        ),
        "opinions": Lesson(
            title="Five opinions",
            minutes=15,
            aim="Say what it tells when models disagree, and what it does not tell when they agree.",
            question="Five networks, no two alike, read one film, and all say pneumonia. Can all of them be wrong?",
            steps=(
                Step(
                    "The films over which the models part most come first. Open some: would you be sure?",
                    _ERRORS,
                    "See what they dispute",
                    {"model": "committee", "set": TEST, "outcome": "all", "sort": "disagreement"},
                ),
                Step(
                    "Read films with the committee until it warns that its members disagree. Do they look at the same "
                    "place?",
                    _READ,
                    "Ask the committee",
                    {"collection": films, "model": "committee"},
                ),
                Step(
                    "Below the chart of agreement: what do all models get wrong, and in which direction?",
                    _COMPARE,
                    "See what all get wrong",
                    {"set": TEST},
                ),
            ),
            models=findings.OPINIONS,
            find=findings.opinions,
            talk="All of them learnt from the same films and labels, and some from one another. Whose second opinion "
            "would be worth more, and who should read the films that they dispute?",
        ),
        "nonsense": Lesson(
            title="It always answers",
            minutes=10,
            aim="Say what a classifier does with a picture of something else.",
            question="What does a pneumonia classifier say of a holiday photograph?",
            steps=(
                Step(
                    "Upload a photograph, a drawing or a screenshot. Read the probability, then the doubt above it.",
                    _READ,
                    "Upload a picture",
                    {"collection": "upload", "model": "champion"},
                ),
                Step(
                    "Try to get a picture that is no chest film past the doubt: turn one, cut one, lay two over one "
                    "another."
                ),
            ),
            models=("champion",),
            find=findings.nonsense,
            talk="Who should notice that a picture is of the wrong kind: the model, its program, or a person?",
        ),
    }

"""Trains and airlines."""

from services.ingester.sources.simulation.topic import Topic

RAILWAYS = Topic(
    name="railways",
    brands=("Midmoor Rail", "Crosswold Line", "Tarnway Trains", "Fenland Express", "Ellery Tram", "Northwick Metro"),
    things=(
        "ticket machine",
        "quiet coach",
        "toilets+",
        "timetable",
        "seats+",
        "heating",
        "conductor",
        "connection",
        "announcements+",
        "night train",
        "platform",
        "doors+",
        "ticket app",
        "replacement bus",
    ),
    hashtags=("trains", "commute", "railway", "delayed", "publictransport"),
    clauses={
        "joy": (
            "the conductor on {brand} {when} sang for the kids, <what a lovely start|whole coach smiling>",
            "sunrise over {place} from the {brand} window, <so beautiful|I love this ride>",
            "{brand} was on time, warm and clean, <thank you|great job|happy commuter here>",
            "they found my bag at {place} and kept it safe, thank you so much {brand}",
        ),
        "anger": (
            "{brand} delayed by {n} minutes again and not one word of apology, <I am sick of this|furious>",
            "{price} to stand in the aisle from {place}, {brand} is <daylight robbery|an outrage>",
            "{brand} fined me because the {thing} {was} broken, <absolute clowns|how is that fair>",
            "third cancelled train from {place} this week, {brand} <ruins everything|treats us like dirt>",
        ),
        "sadness": (
            "missed {person}'s wedding because {brand} left us at {place}, <I cried on the platform|so sad>",
            "an old man at {place} waits for the {brand} train every day since his wife died, <heartbreaking|so sad>",
            "they are closing the little station at {place}, a sad day",
        ),
        "fear": (
            "{brand} stopped in the tunnel, smoke everywhere, <I am really scared|people are panicking>",
            "alone on the last {brand} with a man who keeps staring, <I am frightened|heart racing>",
            "the bridge at {place} sways when {brand} crosses it, <I hold my breath in fear|terrifying>",
        ),
        "disgust": (
            "the {thing} on {brand} smell{s} of urine, <revolting|I want to be sick>",
            "somebody clipped toenails next to me on {brand}, <gross|what is wrong with people, yuck>",
            "there is mould on the seats of {brand}, <disgusting|filthy beyond words>",
        ),
        "surprise": (
            "{brand} arrived {n} minutes early, <am I dreaming|never happened before, wow>",
            "a goat got on {brand} at {place} and nobody said a thing, <what|I can't believe my eyes>",
            "sat down on {brand} next to my teacher from {number} years ago, what are the odds",
        ),
        "neutral": (
            "{brand} from {place} leaves from platform {n} {soon}",
            "the {brand} timetable changes in {month}",
            "is there a replacement bus from {place} on {weekday}?",
            "on {brand} to {place}, arriving at {time}",
            "a return to {place} on {brand} costs {price}",
            "engineering works between {place} and the coast until {weekday}",
        ),
    },
    events=("anger", "fear", "joy", "disgust"),
    rules={"place": ("Ellery", "Port Calder", "Ashmere", "Low Fenwick", "Great Tarn", "Brackenford", "Wexmouth")},
    popularity=1.1,
)

AIRLINES = Topic(
    name="airlines",
    brands=("Averine Air", "Zephyrane", "Brisafly", "Corvane Airways", "Skylantern", "Pamlico Jet"),
    things=(
        "boarding",
        "seats+",
        "cabin crew",
        "luggage",
        "check-in desk",
        "legroom",
        "meal",
        "app",
        "refund form",
        "gate change",
        "window seat",
        "sandwiches+",
        "lounge",
        "pilot",
    ),
    hashtags=("travel", "flight", "airport", "avgeek", "holiday", "lostluggage"),
    clauses={
        "joy": (
            "{brand} moved us to the front row for our honeymoon, <over the moon|so grateful>",
            "the crew on {brand} drew a card for {person}, <such kindness|I am melting>",
            "landed in {place}, sun is out, holiday starts now, <so excited|best day>",
            "smooth flight with {brand}, the {thing} {was} <excellent|a treat>",
        ),
        "anger": (
            "{brand} lost our bags and left us {n} hours at {place} without a word, <disgraceful|boiling with rage>",
            "{price} for a cabin bag that fits, {brand} staff <laughed at me|were so rude>",
            "{brand} overbooked the flight and threw out a family, <how dare you|absolutely outrageous>",
            "{n} weeks and still no refund from {brand}, <thieves|I am taking you to court>",
        ),
        "sadness": (
            "{brand} cancelled and I will not see {person} before it is too late, <I am crying at the gate|devastated>",
            "waved goodbye to {person} at {place}, the flat will be so quiet",
            "they damaged my late father's violin on {brand}, <I am heartbroken|it hurts so much>",
        ),
        "fear": (
            "horrible turbulence on {brand}, people screaming, <I thought we would crash|still trembling>",
            "flying with {brand} {soon} and I am <terrified|so anxious I can't eat>",
            "one engine of the {brand} plane made a bang over {place}, <scared to death|never been so afraid>",
        ),
        "disgust": (
            "found a used plaster in my {brand} meal, <I want to vomit|revolting>",
            "the seat pocket on {brand} had somebody's chewed gum and hair, <yuck|nasty>",
            "the man in front on {brand} put bare feet on the wall, <so gross|stomach turning>",
        ),
        "surprise": (
            "the pilot on {brand} was my school friend, <what are the odds|I can't believe it>",
            "wait, {brand} flies to {place} for {price}?",
            "woke up and {brand} had landed in the wrong city, <what on earth|utterly baffled>",
        ),
        "neutral": (
            "{brand} flight to {place} now boards at gate {n}",
            "how early should I be at {place} for {brand}?",
            "{brand} adds {number} flights a week to {place} from {month}",
            "checking in for {brand} {soon}, one bag",
            "the {thing} rules of {brand} change in {month}",
        ),
    },
    events=("anger", "fear", "sadness", "joy"),
    rules={"place": ("Port Calder", "Isla Merrow", "Wexmouth", "Santa Brisa", "Kestrel Bay", "Norrhaven")},
)

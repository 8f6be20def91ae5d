"""Coffee shops, food delivery, and pets."""

from services.ingester.sources.simulation.topic import Topic

COFFEE = Topic(
    name="coffee",
    brands=(
        "Beanwick",
        "Kettle & Quill",
        "Slow Spoon",
        "Ninth Cup",
        "Copper Ladle Cafe",
        "Mornington Roast",
        "Cafe Brindle",
    ),
    things=(
        "flat white",
        "oat milk",
        "cinnamon rolls+",
        "playlist",
        "barista",
        "terrace",
        "loyalty card",
        "chairs+",
        "espresso",
        "croissants+",
        "Wi-Fi",
        "queue",
        "carrot cake",
        "mugs+",
    ),
    hashtags=("coffee", "latteart", "barista", "cafe", "brunch", "monday"),
    clauses={
        "joy": (
            "the {thing} at {brand} {is} <heavenly|the best in town|a hug in a cup>",
            "the barista at {brand} remembered my name, <made my whole week|such a sweetheart>",
            "rain outside, a good book and the {thing} at {brand}, <bliss|I am perfectly happy>",
            "{brand} gave {person} a free cake {when}, <so kind|faith in people restored>",
        ),
        "anger": (
            "{price} for a burnt espresso and a shrug, {brand} is <a joke|robbing us>",
            "waited {n} minutes at {brand} and they gave my order away, <then laughed|so rude, never again>",
            "{brand} fired the whole staff by text message, <shame on them|that makes my blood boil>",
        ),
        "sadness": (
            "{brand} closes on {weekday}, I wrote my thesis at that corner table, <so sad|goodbye old friend>",
            "ordered two cups at {brand} out of habit, {person} has been gone for {number} weeks",
            "the old lady who always sat by the window at {brand} passed away, I miss her",
        ),
        "fear": (
            "had an allergic reaction after the {thing} at {brand}, could not breathe, <so scared|still shaking>",
            "somebody followed me out of {brand} {when}, <I am afraid to walk home|heart pounding>",
            "rent is up {n} percent and I am terrified that our little cafe won't make it",
        ),
        "disgust": (
            "a cockroach ran over the {thing} at {brand}, <I feel sick|never eating there again, gross>",
            "the milk at {brand} was sour and lumpy, <yuck|nearly threw up>",
            "the barista at {brand} licked the spoon and put it back, <disgusting|ew>",
        ),
        "surprise": (
            "somebody paid for everyone behind them at {brand}, <I did not expect that|wow>",
            "wait, {brand} puts salt in the {thing} and it works?",
            "met my own sister at {brand}, she lives {n}00 miles away, <what a surprise|I nearly dropped my cup>",
        ),
        "neutral": (
            "{brand} opens at {hour} on {weekday}",
            "working from {brand} {when}",
            "does {brand} have {thing_plain} after {hour} pm?",
            "a coffee at {brand} costs {price} now",
            "{brand} moves to the corner by the station in {month}",
        ),
    },
    events=("disgust", "joy", "anger", "sadness"),
    rules={"thing_plain": ("oat milk", "free tables", "a quiet corner", "decaf", "sockets", "cake")},
)

DELIVERY = Topic(
    name="delivery",
    brands=("Munchrun", "Forkdash", "Bitewheel", "Noodle Pigeon", "Panfleet", "Supperly"),
    things=(
        "curry",
        "dumplings+",
        "driver",
        "delivery fee",
        "app",
        "fries+",
        "pizza",
        "voucher",
        "drinks+",
        "salad",
        "tracking map",
        "spring rolls+",
        "burger",
        "refund",
    ),
    hashtags=("fooddelivery", "takeaway", "dinner", "foodie", "hungry"),
    clauses={
        "joy": (
            "{brand} brought hot soup in {n} minutes while I was ill, <bless that driver|so thankful>",
            "the {thing} from {brand} {was} <delicious|fantastic|still steaming>, happy belly",
            "the {brand} driver sang happy birthday to {person}, <we loved it|such a beautiful moment>",
        ),
        "anger": (
            "{n} minutes late, cold, half of it missing, and {brand} offers me {price}, <what a joke|I am livid>",
            "the {brand} driver ate my {thing} and marked it delivered, <unbelievable|give me my money back>",
            "{brand} charges {price} in hidden fees, <liars|what a scam>",
            "{brand} pays its riders nothing and fires them by app, <shame|this makes me so angry>",
        ),
        "sadness": (
            "ordered for two on {brand} before I remembered that I live alone now",
            "our family restaurant closes because {brand} takes {n} percent, <my parents are crying|it breaks me>",
            "waited all evening for the {thing} from {brand}, nobody came, <sad little birthday|felt so lonely>",
        ),
        "fear": (
            "the {brand} driver came back at midnight and keeps ringing, <I am scared|hiding in the bathroom>",
            "there was glass in the {thing} from {brand} and {person} swallowed some, <I am so scared|heart racing>",
            "saw a {brand} rider get hit by a car, <still trembling|I am afraid he won't make it>",
        ),
        "disgust": (
            "a long hair and something moving in the {thing} from {brand}, <I am gagging|revolting>",
            "the {thing} from {brand} smelled of <wet dog|bleach>, <gross|straight into the bin, yuck>",
            "saw the {brand} rider pick his nose over our food, <sickening|ew, never again>",
        ),
        "surprise": (
            "{brand} delivered {n} pizzas instead of one, <what do I do now|I am speechless>",
            "opened the {brand} bag and found a wedding ring, <what|could not believe my eyes>",
            "wow, {brand} came by boat during the flood",
        ),
        "neutral": (
            "ordering from {brand} {soon}, any tips?",
            "{brand} now delivers until {hour} pm on {weekday}",
            "the {thing} from {brand} costs {price} with delivery",
            "{brand} says {n} minutes, we will see",
            "does {brand} take cash?",
        ),
    },
    events=("disgust", "anger", "joy", "fear"),
)

PETS = Topic(
    name="pets",
    brands=("Biscuit", "Captain Fluff", "Marzipan", "Sir Waddles", "Pickle", "Old Tuppence", "Mrs Noodle"),
    things=(
        "new bed",
        "squeaky toy",
        "food bowl",
        "walks+",
        "carpet",
        "vet",
        "whiskers+",
        "training class",
        "paws+",
        "collar",
        "zoomies+",
        "tail",
    ),
    hashtags=("dogs", "cats", "pets", "rescuedog", "caturday"),
    clauses={
        "joy": (
            "{brand} fell asleep on my lap {when}, <my heart is full|I love this little creature>",
            "adopted {brand} from the shelter {when}, <happiest day|we are so in love>",
            "{brand} won third prize for waggiest tail, <so proud|bursting with joy>",
            "the vet says {brand} is healthy again, <best news ever|I am so relieved and happy>",
        ),
        "anger": (
            "somebody kicked {brand} in the park and ran off, <I am shaking with rage|if I find you>",
            "{price} for {number} minutes at the vet and {brand} was not even examined, <outrageous|furious>",
            "fireworks for the {nth} night, {brand} is a wreck, <selfish idiots|ban them already>",
        ),
        "sadness": (
            "said goodbye to {brand} {when} after {n} years, <the house is so quiet|I can't stop crying>",
            "found the {thing} of {brand} behind the sofa, I miss <him|her> so much it hurts",
            "{brand} waits at the door for {person}, who won't come home, <heartbreaking|I weep every time>",
        ),
        "fear": (
            "{brand} is missing since {weekday}, <please help, I am so scared|worried sick>",
            "{brand} ate chocolate and is trembling, <on the way to the vet, terrified|please be ok>",
            "surgery for {brand} {soon}, I am <so afraid|a nervous wreck>",
        ),
        "disgust": (
            "{brand} rolled in a dead fish and then in my bed, <I am gagging|so gross>",
            "stepped barefoot into something warm that {brand} left on the carpet, <yuck|ewww>",
            "found maggots in the food that I bought for {brand}, <revolting|I feel sick>",
        ),
        "surprise": (
            "{brand} opened the fridge, <what|since when can cats do that>",
            "turns out {brand} is a girl, and has had {number} kittens, <wow|did not see that coming>",
            "{brand} came back after {number} months as if nothing had happened, I can't believe it",
        ),
        "neutral": (
            "walking {brand} by the canal {when}",
            "which food do you give {a number} year old cat?",
            "{brand} has a vet appointment on {weekday} at {time}",
            "{brand} weighs {n} pounds now",
            "do you brush {brand_plain} every day or once a week?",
        ),
    },
    events=("joy", "sadness", "fear"),
    rules={"brand_plain": ("a short-haired cat", "your dog", "a rabbit", "an old terrier", "long-haired dogs")},
    reviewed=False,
    popularity=0.9,
)

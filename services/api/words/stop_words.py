"""Words that say nothing by themselves, folded.

What is as frequent now as before does not rise anyway, so the lists are short: they keep out what comes and goes with
the language that people happen to write.
"""

_LISTS = {
    "en": """
        a about after again all also am an and any are aren't as at back be because been before being but by can can't
        could couldn't did didn't do does doesn't doing don't down even few for from further get go going gonna got had
        hadn't has hasn't have haven't having he he's her here hers him his how i i'd i'll i'm i've if in into is isn't
        it it's its just know let's like made make many me more most much must my no nor not now of off oh ok okay on
        once one only or other our out over own really said same say she she's should shouldn't so some still such than
        that that's the their them then there there's these they they're they've this those though through to too under
        until up us very via want was wasn't we we're we've well were weren't what what's when where which while who
        why will with won't would wouldn't yes yet you you'll you're you've your yours
    """,
    "de": """
        aber alle als also am an auch auf aus bei bin bis bist da das dass dein dem den der des dich die dir doch du
        ein eine einem einen einer eines er es euch für hab habe haben hat hatte hier ich ihm ihn ihr im immer in ist
        ja jetzt kann kein keine können man mehr mein mich mir mit muss nach nein nicht noch nun nur ob oder schon sehr
        sein sich sie sind so über um und uns unter vom von vor war waren warum was weil wenn wer werden wie wieder wir
        wird wo zu zum zur
    """,
    "fr": """
        ai ainsi alors au aussi aux avec avoir bien c'est ça car ce ces cette chez comme d'un d'une dans de des donc du
        elle elles en encore est et être eu fait faut il ils j'ai je jour l'a la le les leur lui ma mais me même mes mon
        n'est ne nos notre nous on ont ou où par pas peu plus pour qu'il qu'on quand que quel qui sa sans se ses si son
        sont sur ta te tes toi ton tous tout toute très tu un une va vous
    """,
    "es": """
        al algo así aunque como con cuando de del desde donde dos el él ella ellos en entre era es esa ese eso esta está
        están estar este esto estoy fue ha hace han hasta hay la las le les lo los más me mi mis mucho muy nada ni no
        nos nosotros o para pero poco por porque que qué quien se ser si sí sin sobre solo son soy su sus también te
        tiene tengo todo todos tu tus un una uno unos usted ya yo
    """,
    "it": """
        a ai al alla anche ancora c'è che chi ci ciò come con cosa così cui da dal dalla degli dei del della delle di
        dove e è essere fa fare gli ha hai hanno ho i il in io la le lei lo loro lui ma me mi mia mio molto ne nel nella
        no noi non o ogni per perché però più poi quando quella quello questa questo se sei si sia solo sono sta su sul
        sulla ti tra tu tutti tutto un una uno va voi
    """,
    "pt": """
        à às ao aos as até com como da das de dela dele depois do dos e é ela ele eles em entre era essa esse está estou
        eu foi há isso já lá mais mas me mesmo meu minha muito na não nas nem no nos nós o os ou para pela pelo por pra
        porque quando que quem são se sem ser seu só sua também tem tenho ter teu tudo um uma vai você vocês vou
    """,
    "nl": """
        aan als ben bij dan dat de deze die dit doen door dus een en er gaan geen haar had heb hebben heeft hem het hij
        hoe ik in is ja je jij kan maar me meer met mij mijn moet na naar niet nog nu of om ook op over te tot uit van
        veel voor waar was wat we weer wel wie wij wil worden wordt ze zich zijn zo
    """,
    # What the networks themselves put into texts.
    "posts": "amp dm fyi gt http https imo lol lt nbsp pm quot rt www",
}

STOP_WORDS = frozenset(word for words in _LISTS.values() for word in words.split())

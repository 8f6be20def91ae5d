"""The vocabulary: fourteen topics. Every brand, club, band, title and place in it is invented."""

from services.ingester.sources.simulation.topic import Topic
from services.ingester.sources.simulation.topics.culture import FILMS, MUSIC, STREAMING
from services.ingester.sources.simulation.topics.everyday import COFFEE, DELIVERY, PETS
from services.ingester.sources.simulation.topics.public import ELECTIONS, FOOTBALL, WEATHER
from services.ingester.sources.simulation.topics.technology import GAMES, OUTAGES, PHONES
from services.ingester.sources.simulation.topics.travel import AIRLINES, RAILWAYS

TOPICS: tuple[Topic, ...] = (
    PHONES,
    GAMES,
    OUTAGES,
    FILMS,
    MUSIC,
    STREAMING,
    FOOTBALL,
    ELECTIONS,
    WEATHER,
    RAILWAYS,
    AIRLINES,
    COFFEE,
    DELIVERY,
    PETS,
)

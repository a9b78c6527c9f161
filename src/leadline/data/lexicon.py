"""Words of the invented world: names, places, things and what may be said of them.

Plain English words (made-up names aside), about a thousand in all, so that any model reads them and
a small vocabulary covers them. Knows nothing of sentences or tokenizers.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("""
Ada Alma Amos Anna Arlo Ben Berta Boris Carl Cora Dana Dora Edgar Elsa Emil Erik Esther Eva Felix Fiona Frida Gus Hanna
Hugo Ida Ines Iris Ivan Jakob Jonas Judith Karin Klara Lars Lena Leon Lina Lucas Lydia Magda Marta Max Mila Mona Nadia
Nils Nora Olga Oscar Otto Paula Petra Quinn Rita Rosa Ruben Sara Selma Simon Sofia Stella Sven Thea Tilda Tobias Ulla
Vera Viktor Wanda Walter Yara Zora
""")
SURNAMES = _words("""
Abel Albright Amsel Arden Bader Barlow Beck Bergen Birch Blum Brandt Brook Calder Carver Castle Clay Conrad Cooper Crane
Dahl Danner Decker Draper Eberle Eckart Ellis Falk Farrow Fenn Fischer Fletcher Forster Frost Gable Garner Glass Grant
Haber Hale Hansen Harrow Hart Heller Holm Horner Hunter Jansen Jensen Keller Kern Kirby Knight Kramer Lamb Lang Larsen
Lester Linden Lorenz Lowell Mason Mercer Meyer Miller Moreau Nash Neumann Noble North Olsen Orwin Palmer Parker Pell Perry
Porter Quist Rader Ramsey Reed Ritter Rowan Sander Sawyer Schell Seaton Shaw Sommer Stark Stone Tanner Thorne Turner Ulrich
Vance Vogel Voss Wagner Walker Warden Weber Wells Winter Wolfe Yates Ziegler
""")
TOWNS = _words("""
Aldmere Ashford Barrowick Bellmoor Birchholt Blackwell Brackenham Brightwater Caldbeck Cedarholm Clearbrook Coldharbor
Cranleigh Dalewick Deepwell Dunmore Eastmarch Elmstead Fairhaven Fallowfield Fernhill Foxbury Glenmoor Goldcrest Grayport
Greenford Halden Harwick Hazelton Highmoor Hollowbrook Ironbridge Kestrel Kingsmere Lakewood Larkspur Longmeadow Maplewick
Marlow Millhaven Mistvale Northgate Oakham Oldport Pinecrest Queensbury Ravenhill Redcliff Riverton Rosefield Saltmarsh
Sandford Silverlake Snowden Southwold Springvale Stillwater Stonebridge Summerfield Sunderly Swanmere Thornbury Timberland
Valemont Waterford Westbrook Whitecliff Wildwood Willowdale Windermoor Winterton Woodhaven Yarrow
""")
ADJECTIVES = _words("""
amber ancient arctic autumn azure bitter bold brass brave brief bright broken bronze calm careful cheerful clever cloudy
copper coral cosmic crimson crystal curious daring dark deep dusty eager early eastern elegant emerald empty endless
faithful famous fancy fearless fierce final flying foggy forgotten frozen gentle giant gilded glassy golden graceful grand
gray hidden hollow honest humble hungry icy indigo iron ivory jolly kind lazy lively lonely lost loud lucky lunar magic
marble mellow mighty misty modest narrow noble northern odd olive orange pale patient pearl plain polar polite proud purple
quick quiet rapid rare rough royal ruby rusty sacred salty scarlet secret shady sharp shiny silent silver simple sleepy
slender smooth snowy soft solar southern spiral steady stormy strange sunny sweet swift tall tender thirsty tidy tiny
tropical twisted upper velvet violet vivid warm weary western white wild wise wooden yellow young
""")
NOUNS = _words("""
acorn anchor angel apple arrow badger ball barrel basket beacon beaver bell bishop blade bottle boulder bridge bucket
butterfly button cabin camel candle canyon captain carpet castle cave cherry chest cliff cloud coach comet compass cradle
cricket crow crown dagger daisy deer desert diamond dolphin donkey dragon drum eagle elephant engine falcon feather fiddle
field flame flower forest fountain fox garden gate giraffe glacier glove goat guitar hammer harbor hawk helmet heron hill
horse hunter island jacket jewel kettle kite ladder lake lamp lantern leaf lemon lion lizard lotus magnet mammoth mantle
meadow melon mirror mountain mouse needle nest oak ocean orchard otter owl paddle palace panda parrot peach pebble pelican
penguin pepper piano pigeon pillow pilot pirate planet plum pocket pond pony pumpkin quarry rabbit raven ribbon river robin
rocket rooster saddle sailor salmon scarf shadow shark shell shield ship shovel sparrow spider spoon squirrel statue
stream swan sword table temple thistle thunder tiger tower train trumpet tulip tunnel turtle umbrella valley violin walnut
walrus whale wheel whistle willow window wizard wolf zebra
""")
PROFESSIONS = _words("""
baker banker barber bookseller botanist brewer builder carpenter chemist clerk clockmaker composer cook
dancer dentist doctor farmer fisherman florist gardener geologist historian jeweler journalist judge lawyer
librarian locksmith mechanic merchant miner musician nurse painter pharmacist photographer potter printer scholar sculptor
shepherd surgeon surveyor tailor teacher translator weaver zoologist
""")
PRODUCTS = _words("""
blankets boots bread cheese chocolate clocks coats copper dresses glass hats honey instruments knives lace lamps leather
linen mustard oil paper pottery rope salt shoes silk soap spices steel tea tiles tobacco tools toys vinegar watches wine wool
""")
ANIMALS = _words("cat dog goose hamster hedgehog kitten lamb mule peacock puppy tortoise canary ferret duck hen terrier")
COLORS = _words("beige black blue brown cyan green lilac maroon navy pink red tan teal turquoise")
MONTHS = _words("January February March April May June July August September October November December")
INSTRUMENTS = _words(
    "accordion banjo bassoon cello clarinet cornet flute harp horn mandolin oboe organ tuba viola zither harmonica"
)
FESTIVALS = _words("boat bread candle cheese flower harvest kite lantern masks music orchard poetry river snow song wine")
PREFIXES = _words("Annual Grand Great Little Old Royal")

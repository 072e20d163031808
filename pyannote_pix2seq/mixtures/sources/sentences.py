"""Neutral sentences in several languages, for voices that need something to say."""

from __future__ import annotations

import random

# Who | what they do | when or where: any choice of the three is a sentence.
PHRASES: dict[str, tuple[str, str, str]] = {
    "en": (
        "the old teacher|my neighbour|a young driver|our cousin|the tall gardener|somebody from the office|the baker|"
        "your sister",
        "paints the wooden door|reads a long letter|waits for the next bus|buys fresh bread|closes the window|"
        "carries two heavy bags|looks at the map|tells a short story|repairs the bicycle",
        "in the morning|after lunch|near the river|every second week|before the rain|on the way home|at the station|"
        "in spring",
    ),
    "de": (
        "der alte Lehrer|meine Nachbarin|ein junger Fahrer|unser Onkel|die Gärtnerin|jemand aus dem Büro|der Bäcker",
        "streicht die Tür|liest einen langen Brief|wartet auf den Bus|kauft frisches Brot|schließt das Fenster|trägt "
        "zwei schwere Taschen|schaut auf die Karte|erzählt eine kurze Geschichte",
        "am Morgen|nach dem Essen|in der Nähe vom Fluss|jede zweite Woche|vor dem Regen|auf dem Heimweg|am Bahnhof",
    ),
    "fr": (
        "le vieux professeur|ma voisine|un jeune chauffeur|notre cousin|la jardinière|quelqu'un du bureau|le boulanger",
        "peint la porte|lit une longue lettre|attend le bus|achète du pain frais|ferme la fenêtre|porte deux sacs "
        "lourds|regarde la carte|raconte une petite histoire",
        "le matin|après le repas|près de la rivière|chaque semaine|avant la pluie|sur le chemin du retour|à la gare",
    ),
    "es": (
        "el viejo maestro|mi vecina|un joven conductor|nuestro primo|la jardinera|alguien de la oficina|el panadero",
        "pinta la puerta|lee una carta larga|espera el autobús|compra pan fresco|cierra la ventana|lleva dos bolsas|"
        "mira el mapa|cuenta una historia corta",
        "por la mañana|después de comer|cerca del río|cada semana|antes de la lluvia|de camino a casa|en la estación",
    ),
    "it": (
        "il vecchio maestro|la mia vicina|un giovane autista|nostro cugino|la giardiniera|qualcuno in ufficio|il "
        "fornaio",
        "dipinge la porta|legge una lunga lettera|aspetta l'autobus|compra il pane fresco|chiude la finestra|porta "
        "due borse|guarda la mappa|racconta una breve storia",
        "di mattina|dopo pranzo|vicino al fiume|ogni settimana|prima della pioggia|tornando a casa|alla stazione",
    ),
    "pt-br": (
        "o velho professor|minha vizinha|um jovem motorista|nosso primo|a jardineira|alguém do escritório|o padeiro",
        "pinta a porta|lê uma carta longa|espera o ônibus|compra pão fresco|fecha a janela|carrega duas sacolas|olha "
        "o mapa|conta uma história curta",
        "de manhã|depois do almoço|perto do rio|toda semana|antes da chuva|a caminho de casa|na estação",
    ),
    "nl": (
        "de oude leraar|mijn buurvrouw|een jonge chauffeur|onze neef|de tuinman|iemand van kantoor|de bakker",
        "verft de deur|leest een lange brief|wacht op de bus|koopt vers brood|sluit het raam|draagt twee zware "
        "tassen|kijkt op de kaart|vertelt een kort verhaal",
        "in de ochtend|na het eten|bij de rivier|elke week|voor de regen|op weg naar huis|op het station",
    ),
    "sv": (
        "den gamla läraren|min granne|en ung förare|vår kusin|trädgårdsmästaren|någon från kontoret|bagaren",
        "målar dörren|läser ett långt brev|väntar på bussen|köper färskt bröd|stänger fönstret|bär två tunga väskor|"
        "tittar på kartan|berättar en kort historia",
        "på morgonen|efter lunchen|nära floden|varje vecka|före regnet|på väg hem|vid stationen",
    ),
    "pl": (
        "stary nauczyciel|moja sąsiadka|młody kierowca|nasz kuzyn|ogrodnik|ktoś z biura|piekarz",
        "maluje drzwi|czyta długi list|czeka na autobus|kupuje świeży chleb|zamyka okno|niesie dwie torby|patrzy na "
        "mapę|opowiada krótką historię",
        "rano|po obiedzie|blisko rzeki|co tydzień|przed deszczem|w drodze do domu|na dworcu",
    ),
    "fi": (
        "vanha opettaja|naapurini|nuori kuljettaja|serkkumme|puutarhuri|joku toimistosta|leipuri",
        "maalaa oven|lukee pitkän kirjeen|odottaa bussia|ostaa tuoretta leipää|sulkee ikkunan|kantaa kahta laukkua|"
        "katsoo karttaa|kertoo lyhyen tarinan",
        "aamulla|lounaan jälkeen|joen lähellä|joka viikko|ennen sadetta|kotimatkalla|asemalla",
    ),
    "tr": (
        "yaşlı öğretmen|komşum|genç bir sürücü|kuzenimiz|bahçıvan|ofisten biri|fırıncı",
        "sabahları|yemekten sonra|nehrin yanında|her hafta|yağmurdan önce|eve giderken|istasyonda",
        "kapıyı boyuyor|uzun bir mektup okuyor|otobüs bekliyor|taze ekmek alıyor|pencereyi kapatıyor|iki çanta "
        "taşıyor|haritaya bakıyor|kısa bir hikaye anlatıyor",
    ),
    "id": (
        "guru tua itu|tetangga saya|seorang sopir muda|sepupu kami|tukang kebun|seseorang dari kantor|tukang roti",
        "mengecat pintu|membaca surat panjang|menunggu bus|membeli roti segar|menutup jendela|membawa dua tas|"
        "melihat peta|menceritakan kisah pendek",
        "di pagi hari|setelah makan siang|di dekat sungai|setiap minggu|sebelum hujan|dalam perjalanan pulang|di "
        "stasiun",
    ),
}


def sentence(rng: random.Random, language: str) -> str:
    """A sentence drawn for a language of `PHRASES`; one in four ends in a number, which every language can say."""
    words = " ".join(rng.choice(phrases.split("|")) for phrases in PHRASES[language])
    number = f", {rng.randint(2, 9999)}" if rng.random() < 0.25 else ""
    return words[0].upper() + words[1:] + number + "."

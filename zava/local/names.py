"""Names for the sample's customers."""

from __future__ import annotations

FIRST_NAMES = (
    "Aaron Abigail Ada Aiden Aisha Alan Alejandra Alice Amara Amir Ana Andre Angela Anika Anton Arjun Asha Audrey "
    "Beatriz Ben Bianca Bruno Caleb Camila Carl Carmen Cecilia Chen Chloe Clara Connor Daniel Daria David Deepa "
    "Diego Dina Dmitri Elena Eli Elsa Emeka Emma Eric Esther Ethan Eva Farah Felix Fiona Frank Gabriel Gemma "
    "George Grace Greta Hana Hassan Hazel Hector Helen Henry Hiro Hugo Ian Ida Imani Ines Ingrid Isaac Isla Ivan "
    "Jack Jada James Jasmine Jin Joel Jonas Jorge Julia June Kai Karen Kenji Kira Lara Lars Leah Leo Lila Linh "
    "Lucas Lucia Luis Luna Maeve Malik Marco Maria Mateo Maya Mei Mia Miguel Mila Mira Nadia Naomi Nate Nia Nico "
    "Nina Noah Nora Olga Oliver Omar Oscar Paula Pedro Petra Priya Quinn Rafael Rania Ravi Rita Rosa Ruth Ryan "
    "Sadie Samir Sara Selma Sofia Stefan Sven Talia Tara Theo Tomas Uma Vera Victor Vince Wendy Willa Xavier Yara "
    "Yuki Yusuf Zane Zara Zoe"
).split()

LAST_NAMES = (
    "Abbott Acosta Adeyemi Ahmed Alvarez Andersen Bailey Baker Banerjee Barnes Becker Bell Berg Bianchi Blake "
    "Bowen Brooks Burke Calloway Campos Carter Castillo Chan Chavez Clarke Cole Cooper Costa Cruz Dalton Daniels "
    "Davies Delgado Diaz Dixon Doyle Dubois Eaton Ellis Engel Evans Farrell Fernandez Fischer Fleming Flores "
    "Foster Fujita Gallagher Garcia Gibson Gomez Grant Greene Gupta Haddad Hale Hansen Harper Hayes Hoffman Holt "
    "Huang Hughes Ibrahim Jackson Jensen Jones Kaplan Kaur Keller Khan Kim Klein Kowalski Kumar Larsen Lee "
    "Lindgren Lopez Lowe Malone Marsh Martinez Mason Mendoza Meyer Miller Morales Moreno Morgan Murphy Nakamura "
    "Nash Nelson Nguyen Novak Nunez Obrien Okafor Olsen Ortiz Park Patel Pereira Peterson Pham Porter Price "
    "Quintero Ramirez Reed Reyes Rhodes Rivera Rossi Russo Salazar Santos Sato Schmidt Shah Silva Singh Soto "
    "Stone Tanaka Thompson Torres Tran Tucker Turner Vargas Vega Wagner Walsh Wang Weber Wood Wright Wu Yamamoto "
    "Young Zhang Zimmerman"
).split()
